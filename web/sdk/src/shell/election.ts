/** Who leads: a Web Lock, or a lease in localStorage that is renewed each second and dead after three. */

import type { World } from "./world";

const RENEW_MS = 1_000;
const DEAD_MS = 3_000;
/** Two tabs that see a dead lease at the same time: the one that wrote last has it. */
const SETTLE_MS = 100;

export interface Candidate {
  /** `stillLeads` may be asked at any time. */
  won(stillLeads: () => boolean): void;
  /** Another tab has taken over, because this one was too slow. */
  lost(): void;
}

/** Runs for leader until it is resigned by what is returned. */
export function campaign(world: World, name: string, id: string, canTalk: boolean, candidate: Candidate): () => void {
  if (!canTalk) {
    queueMicrotask(() => candidate.won(() => true));
    return () => undefined;
  }
  if (world.locks) return byLock(world.locks, name, candidate);
  try {
    if (world.storage) return byLease(world, world.storage, `${name}:lease`, id, candidate);
  } catch {
    // A full localStorage: no other tab can lead by it, either.
  }
  return campaign(world, name, id, false, candidate);
}

function byLock(locks: NonNullable<World["locks"]>, name: string, candidate: Candidate): () => void {
  const abort = new AbortController();
  let leads = true;
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const granted = locks.request(name, { signal: abort.signal }, () => {
    if (!leads) return undefined;
    candidate.won(() => leads);
    return held;
  });
  // It was resigned while it waited; otherwise this page may have no locks, and what it keeps is nobody else's either.
  granted.catch(() => leads && candidate.won(() => leads));
  return () => {
    leads = false;
    abort.abort();
    release();
  };
}

function byLease(world: World, storage: NonNullable<World["storage"]>, key: string, id: string, candidate: Candidate): () => void {
  let leads = false;
  let resigned = false;
  let timer: number | undefined;
  const read = () => {
    const [holder, at] = (storage.getItem(key) ?? "").split(" ");
    return { holder, dead: world.clock() - Number(at ?? 0) > DEAD_MS };
  };
  const write = () => storage.setItem(key, `${id} ${world.clock()}`);
  const isMine = () => !resigned && read().holder === id;
  const step = () => {
    if (resigned) return;
    const { holder, dead } = read();
    if (holder === id) {
      write();
      if (!leads) {
        leads = true;
        candidate.won(isMine);
      }
    } else {
      if (leads) {
        leads = false;
        candidate.lost();
      }
      if (dead || !holder) {
        write();
        timer = world.setTimeout(step, SETTLE_MS);
        return;
      }
    }
    timer = world.setTimeout(step, RENEW_MS);
  };
  step();
  return () => {
    if (isMine()) storage.removeItem(key);
    resigned = true;
    world.clearTimeout(timer);
  };
}

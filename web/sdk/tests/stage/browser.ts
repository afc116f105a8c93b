/** Tabs of a browser in one process: what they share, and what tells them apart. No DOM. */
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import type { World } from "../../src/shell/world";

// The store uses it by its global name, as in a browser.
(globalThis as { IDBKeyRange?: unknown }).IDBKeyRange ??= IDBKeyRange;

/** Web Locks, exclusive only. */
class Locks {
  private readonly queues = new Map<string, (() => Promise<void>)[]>();

  request(name: string, options: { signal?: AbortSignal }, run: (lock: unknown) => unknown): Promise<unknown> {
    const queue = this.queues.get(name) ?? [];
    this.queues.set(name, queue);
    return new Promise((resolve, reject) => {
      const turn = async () => {
        resolve(await run({ name }));
        queue.shift();
        void queue[0]?.();
      };
      options.signal?.addEventListener("abort", () => {
        const at = queue.indexOf(turn);
        if (at > 0) {
          queue.splice(at, 1);
          reject(new DOMException("aborted", "AbortError"));
        }
      });
      queue.push(turn);
      if (queue.length === 1) queueMicrotask(() => void turn());
    });
  }

  query = undefined as never;
}

class Memory {
  private readonly items = new Map<string, string>();
  getItem = (key: string) => this.items.get(key) ?? null;
  setItem = (key: string, value: string) => void this.items.set(key, value);
  removeItem = (key: string) => void this.items.delete(key);
}

/** One profile: its tabs share databases, locks and localStorage. */
export class Browser {
  readonly indexedDB = new IDBFactory();
  readonly storage = new Memory();
  readonly locks = new Locks();
  /** Separates the channels of this browser from those of others in the process. */
  private readonly profile = `${Math.random()} `;

  tab(more: Partial<World> = {}): Tab {
    const { profile } = this;
    const tab = new Tab();
    const Channel = class extends BroadcastChannel {
      constructor(name: string) {
        super(profile + name);
        // Node keeps a process alive for a channel; a test ends by itself.
        (this as unknown as { unref(): void }).unref();
        tab.channels.push(this);
      }

      override postMessage(message: unknown): void {
        if (!tab.isDead) super.postMessage(message);
      }
    };
    tab.world = tab.mortal({
      fetch: (input, init) => fetch(input, init),
      WebSocket: undefined,
      indexedDB: {
        open: (name: string, version?: number) => {
          const request = this.indexedDB.open(name, version);
          request.addEventListener("success", () => {
            tab.databases.push(request.result);
            if (tab.isDead) request.result.close();
          });
          return request;
        },
      } as IDBFactory,
      locks: {
        request: ((name: string, options: { signal?: AbortSignal }, run: (lock: unknown) => unknown) => {
          const held = this.locks.request(name, options, (lock) => Promise.race([run(lock), tab.death]));
          return held;
        }) as LockManager["request"],
      },
      BroadcastChannel: Channel,
      storage: this.storage,
      origin: "",
      clock: Date.now,
      random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
      setTimeout: (run, ms) => setTimeout(run, ms) as unknown as number,
      clearTimeout: (timer) => clearTimeout(timer),
      listen(event, run) {
        tab.listeners.add([event, run]);
        return () => tab.listeners.forEach((one) => one[1] === run && tab.listeners.delete(one));
      },
      isVisible: () => true,
      ...more,
    });
    return tab;
  }
}

export class Tab {
  world!: World;
  isDead = false;
  readonly channels: BroadcastChannel[] = [];
  readonly databases: IDBDatabase[] = [];
  readonly listeners = new Set<[string, (event: unknown) => void]>();
  /** What else ends with it. */
  crashed = () => {};
  private die!: () => void;
  readonly death = new Promise<void>((resolve) => (this.die = resolve));

  /** What reaches the page only while its process lives. */
  mortal(world: World): World {
    const { setTimeout } = world;
    return { ...world, setTimeout: (run, ms) => setTimeout(() => this.isDead || run(), ms) };
  }

  fire(event: string, value: unknown = {}): void {
    for (const [name, run] of this.listeners) if (name === event) run(value);
  }

  /** The process of this tab is killed: it says goodbye to nobody. */
  crash(): void {
    this.isDead = true;
    this.crashed();
    for (const channel of this.channels) channel.close();
    // What has begun may come to its end; nothing new begins.
    for (const database of this.databases) database.close();
    this.die();
  }
}

/** Time that passes when a test says so. */
export class Clock {
  now = 1_700_000_000_000;
  private timers = new Map<number, { at: number; run: () => void }>();
  private next = 1;

  world(): Pick<World, "clock" | "setTimeout" | "clearTimeout"> {
    return {
      clock: () => this.now,
      setTimeout: (run, ms) => {
        this.timers.set(this.next, { at: this.now + ms, run });
        return this.next++;
      },
      clearTimeout: (timer) => void this.timers.delete(timer ?? 0),
    };
  }

  /** The process stops for a while: nothing runs, but time goes on. */
  sleep(ms: number): void {
    this.now += ms;
  }

  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    await settle();
    for (;;) {
      const [first] = [...this.timers].sort((a, b) => a[1].at - b[1].at);
      if (!first || first[1].at > end) break;
      this.timers.delete(first[0]);
      this.now = Math.max(this.now, first[1].at);
      first[1].run();
      await settle();
    }
    this.now = Math.max(this.now, end);
  }
}

/** Lets everything happen that needs no time: databases and channels take some turns of the loop. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await new Promise((resolve) => setImmediate(resolve));
}

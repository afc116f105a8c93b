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
    };
    tab.world = {
      fetch: (input, init) => fetch(input, init),
      WebSocket: undefined,
      indexedDB: this.indexedDB,
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
      setTimeout: (run, ms) => setTimeout(() => tab.isDead || run(), ms) as unknown as number,
      clearTimeout: (timer) => clearTimeout(timer),
      listen(event, run) {
        tab.listeners.add([event, run]);
        return () => tab.listeners.forEach((one) => one[1] === run && tab.listeners.delete(one));
      },
      isVisible: () => true,
      ...more,
    };
    return tab;
  }
}

export class Tab {
  world!: World;
  isDead = false;
  readonly channels: BroadcastChannel[] = [];
  readonly listeners = new Set<[string, (event: unknown) => void]>();
  private die!: () => void;
  readonly death = new Promise<void>((resolve) => (this.die = resolve));

  fire(event: string, value: unknown = {}): void {
    for (const [name, run] of this.listeners) if (name === event) run(value);
  }

  /** The process of this tab is killed: it says goodbye to nobody. */
  crash(): void {
    this.isDead = true;
    for (const channel of this.channels) channel.close();
    this.die();
  }
}

/** What of a browser the shell uses, so that tests can give their own and what is missing can be done without. */

export interface World {
  fetch: typeof fetch;
  WebSocket: typeof WebSocket | undefined;
  indexedDB: IDBFactory | undefined;
  locks: Pick<LockManager, "request"> | undefined;
  BroadcastChannel: typeof BroadcastChannel | undefined;
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined;
  /** Of the page, if there is one. */
  origin: string;
  /** Milliseconds since 1970. */
  clock(): number;
  random(bytes: number): Uint8Array;
  setTimeout(run: () => void, ms: number): number;
  clearTimeout(timer: number | undefined): void;
  /** Listens to an event of the window or the document; returns how to stop. */
  listen(event: "online" | "offline" | "visibilitychange" | "pageshow" | "pagehide", run: (event: any) => void): () => void;
  isVisible(): boolean;
}

/** Access to some of these throws where cookies are blocked. */
function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

export function browser(): World {
  const page = typeof window === "undefined" ? undefined : window;
  return {
    fetch: (input, init) => fetch(input, init),
    WebSocket: attempt(() => globalThis.WebSocket),
    indexedDB: attempt(() => globalThis.indexedDB),
    locks: attempt(() => globalThis.navigator?.locks),
    BroadcastChannel: attempt(() => globalThis.BroadcastChannel),
    storage: attempt(() => page?.localStorage),
    origin: page?.location.origin ?? "",
    clock: Date.now,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    setTimeout: (run, ms) => setTimeout(run, ms) as unknown as number,
    clearTimeout: (timer) => clearTimeout(timer),
    listen(event, run) {
      const target = event === "visibilitychange" ? page?.document : page;
      target?.addEventListener(event, run);
      return () => target?.removeEventListener(event, run);
    },
    isVisible: () => page?.document.visibilityState !== "hidden",
  };
}

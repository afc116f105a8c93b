/**
 * The page's end of the bridge: a seat among the tabs of the server's origin, held by a frame of that origin. Takes the frame
 * away when the page is closed or put aside, and everything that it holds goes with it. A frame that is lost or does not answer
 * is made anew until the page is closed, whether anybody calls or not: after a pause, or at once at a call (a page that becomes
 * visible makes one) or when there is a network again.
 *
 * Whoever is in the frame is known by the port: it was given to the server's origin alone. Messages to the page's own window
 * are not listened to.
 */

import type { Calls } from "../shell/calls";
import type { Listener, Seat } from "../shell/seat";
import type { TabState } from "../shell/tabs";
import type { World } from "../shell/world";
import { type FromFrame, type FromPage, type Hello, VERSION } from "./notes";
import { Pauses } from "./pauses";

/** The frame must have said that it is there within this time, at first and at each call. */
const HERE_MS = 10_000;
/** A frame that was there for so long forgives earlier failures. */
const STABLE_MS = 10_000;
const SEED_BYTES = 4;

/** Puts a frame with this address into the page; `loaded` is called once there is something in it. Returns how to take it away. */
export type OpenFrame = (address: string, loaded: (frame: Pick<Window, "postMessage">) => void) => () => void;

/** There is no way to the server's origin yet. The call is not made any more; the page goes on trying by itself. */
export class BridgeError extends Error {
  override name = "BridgeError";
}

interface Waiting {
  method: keyof Calls;
  args: unknown[];
  resolve(value: any): void;
  reject(reason: unknown): void;
}

interface Frame {
  port: MessagePort;
  /** Since when it has been there; `undefined`: it is not yet. */
  hereSince: number | undefined;
  /** Runs while it owes a word. */
  timer: number | undefined;
  remove(): void;
}

export class FarSeat implements Seat {
  private readonly waiting = new Map<number, Waiting>();
  private frame: Frame | undefined;
  private count = 0;
  private looking: string | undefined;
  /** What a frame has told last, not that there is none: whether the session shall go on. */
  private state: TabState;
  private again: number | undefined;
  private readonly pauses: Pauses;
  /** Events were missed since a frame was lost or did not come. */
  private hasGap = false;
  /** Of `start`, `signIn` and `signOut`, the page has called `start` last. */
  private wantsStart = false;
  private closed = false;
  private readonly unlisten: () => void;

  constructor(
    private readonly world: Pick<World, "origin" | "clock" | "random" | "setTimeout" | "clearTimeout" | "listen">,
    private readonly open: OpenFrame,
    private readonly server: string,
    private readonly options: Hello["options"],
    private readonly listener: Listener,
  ) {
    this.state = { link: listener.link, user: undefined };
    this.pauses = new Pauses(new DataView(world.random(SEED_BYTES).buffer).getInt32(0));
    // The frame hears this, too, but there may be none.
    this.unlisten = world.listen("online", () => this.online());
    this.begin();
  }

  private begin(timer = this.world.setTimeout(() => this.lost(this.unreachable()), HERE_MS)): void {
    const { world, server, options } = this;
    const { link } = this.state;
    world.clearTimeout(this.again);
    const { port1: port, port2: far } = new MessageChannel();
    const frame: Frame = { port, hereSince: undefined, timer, remove: () => undefined };
    this.frame = frame;
    port.onmessage = ({ data }) => this.frame === frame && this.noted(frame, data as FromFrame);
    const hello: Hello = { hongyanBridge: VERSION, options, link };
    frame.remove = this.open(`${server}/bridge?origin=${world.origin}`, (window) => window.postMessage(hello, server, [far]));
  }

  /** After a frame that was lost. */
  private beginAgain(): void {
    this.begin();
    this.listener.heard("link", { state: "connecting" }, this.state.user);
  }

  private online(): void {
    const { frame } = this;
    if (frame && frame.hereSince !== undefined) return;
    this.pauses.reset();
    if (!frame) return this.beginAgain();
    // What loaded without a network never answers. Whoever waits for it waits no longer than before.
    discard(frame);
    this.begin(frame.timer);
  }

  private unreachable(): BridgeError {
    const { origin } = this.world;
    return new BridgeError(
      `${this.server}/bridge does not answer ${origin} and is tried again. If in vain: is that in web.bridge_origins there, and may this page frame it?`,
    );
  }

  private make(frame: Frame, id: number, { method, args, reject }: Waiting): void {
    const note: FromPage = { kind: "call", id, method, args };
    try {
      frame.port.postMessage(note);
    } catch (error) {
      // Something that no port carries, such as a function.
      this.waiting.delete(id);
      return reject(error);
    }
    frame.timer ??= this.world.setTimeout(() => this.lost("offline"), HERE_MS);
  }

  private noted(frame: Frame, note: FromFrame): void {
    switch (note.kind) {
      case "here":
        this.world.clearTimeout(frame.timer);
        frame.timer = undefined;
        if (frame.hereSince !== undefined) return;
        frame.hereSince = this.world.clock();
        if (this.looking !== undefined) this.look(this.looking);
        for (const [id, call] of this.waiting) this.make(frame, id, call);
        // A `start` that was lost with a frame; if it was not, it changes nothing.
        if (this.hasGap && this.wantsStart) void this.call("start").catch(() => undefined);
        return;
      case "gone":
        return this.lost("offline");
      case "joined":
        this.state = note.state;
        this.listener.joined(note.state);
        if (this.hasGap) this.listener.heard("reset", undefined, note.state.user);
        this.hasGap = false;
        return;
      case "event":
        this.state = { link: note.event === "link" ? note.value : this.state.link, user: note.user };
        return this.listener.heard(note.event, note.value, note.user);
      case "answer": {
        const call = this.waiting.get(note.id);
        this.waiting.delete(note.id);
        if (note.error === undefined) call?.resolve(note.value);
        else call?.reject(note.error);
      }
    }
  }

  call<M extends keyof Calls>(method: M, ...args: Parameters<Calls[M]>): Promise<Awaited<ReturnType<Calls[M]>>> {
    if (this.closed) return Promise.reject("offline");
    if (method === "start" || method === "signIn" || method === "signOut") this.wantsStart = method === "start";
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      const call = { method, args, resolve, reject };
      this.waiting.set(id, call);
      if (!this.frame) this.beginAgain();
      else if (this.frame.hereSince !== undefined) this.make(this.frame, id, call);
    });
  }

  look(user: string | undefined): void {
    this.looking = user;
    const note: FromPage = { kind: "look", user };
    if (this.frame?.hereSince !== undefined) this.frame.port.postMessage(note);
  }

  /** The frame has not come, has crashed, or was taken out of the page. What it was asked may have been done or not. */
  private lost(reason: unknown): void {
    const { world, pauses, frame } = this;
    this.drop(reason);
    this.hasGap = true;
    if (frame?.hereSince !== undefined && world.clock() - frame.hereSince >= STABLE_MS) pauses.reset();
    const pause = pauses.next();
    this.again = world.setTimeout(() => this.beginAgain(), pause);
    this.listener.heard("link", { state: "broken", retryAt: world.clock() + pause }, this.state.user);
  }

  private drop(reason: unknown): void {
    const { frame, waiting } = this;
    this.frame = undefined;
    this.world.clearTimeout(frame?.timer);
    if (frame) discard(frame);
    const calls = [...waiting.values()];
    waiting.clear();
    for (const { reject } of calls) reject(reason);
  }

  close(): void {
    this.closed = true;
    this.unlisten();
    this.world.clearTimeout(this.again);
    this.drop("offline");
  }
}

function discard({ port, remove }: Frame): void {
  port.close();
  remove();
}

/** In a real page. */
export const openFrame: OpenFrame = (address, loaded) => {
  const frame = document.createElement("iframe");
  frame.style.display = "none";
  frame.title = "Hongyan";
  frame.referrerPolicy = "no-referrer";
  // It needs no forms, no windows, and above all not the page's address bar.
  frame.sandbox.add("allow-scripts", "allow-same-origin");
  frame.addEventListener("load", () => loaded(frame.contentWindow!), { once: true });
  frame.src = address;
  document.documentElement.append(frame);
  return () => frame.remove();
};

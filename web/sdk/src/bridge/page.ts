/**
 * The page's end of the bridge: a seat among the tabs of the server's origin, held by a frame of that origin. Takes the frame
 * away when the page is closed or put aside, and everything that it holds goes with it. A frame that is lost is made anew.
 *
 * Whoever is in the frame is known by the port: it was given to the server's origin alone. Messages to the page's own window
 * are not listened to.
 */

import type { Calls } from "../shell/calls";
import type { Listener, Seat } from "../shell/seat";
import type { TabState } from "../shell/tabs";
import type { World } from "../shell/world";
import { type FromFrame, type FromPage, type Hello, VERSION } from "./notes";

/** The frame must have said that it is there within this time, at first and at each call. */
const HERE_MS = 10_000;
/** A frame that was lost is made anew after this time. */
const AGAIN_MS = 1_000;

/** Puts a frame with this address into the page; `loaded` is called once there is something in it. Returns how to take it away. */
export type OpenFrame = (address: string, loaded: (frame: Pick<Window, "postMessage">) => void) => () => void;

/** There is no way to the server's origin. A later call tries again. */
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
  isHere: boolean;
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
  /** Events were missed since a frame was lost. */
  private hasGap = false;
  private closed = false;

  constructor(
    private readonly world: Pick<World, "origin" | "setTimeout" | "clearTimeout">,
    private readonly open: OpenFrame,
    private readonly server: string,
    private readonly options: Hello["options"],
    private readonly listener: Listener,
  ) {
    this.state = { link: listener.link, user: undefined };
    this.begin();
  }

  private begin(): void {
    const { world, server, options } = this;
    const { link } = this.state;
    world.clearTimeout(this.again);
    const { port1: port, port2: far } = new MessageChannel();
    const timer = world.setTimeout(() => this.lost(this.unreachable()), HERE_MS);
    const frame: Frame = { port, isHere: false, timer, remove: () => undefined };
    this.frame = frame;
    port.onmessage = ({ data }) => this.frame === frame && this.noted(frame, data as FromFrame);
    const hello: Hello = { hongyanBridge: VERSION, options, link };
    frame.remove = this.open(`${server}/bridge?origin=${world.origin}`, (window) => window.postMessage(hello, server, [far]));
  }

  private unreachable(): BridgeError {
    const { origin } = this.world;
    return new BridgeError(`${this.server}/bridge does not answer ${origin}: is it in web.bridge_origins there, and may this page frame it?`);
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
    frame.timer ??= this.world.setTimeout(() => this.broken(), HERE_MS);
  }

  private noted(frame: Frame, note: FromFrame): void {
    switch (note.kind) {
      case "here":
        this.world.clearTimeout(frame.timer);
        frame.timer = undefined;
        if (frame.isHere) return;
        frame.isHere = true;
        if (this.looking !== undefined) this.look(this.looking);
        for (const [id, call] of this.waiting) this.make(frame, id, call);
        return;
      case "gone":
        return this.broken();
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
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      const call = { method, args, resolve, reject };
      this.waiting.set(id, call);
      if (!this.frame) this.begin();
      else if (this.frame.isHere) this.make(this.frame, id, call);
    });
  }

  look(user: string | undefined): void {
    this.looking = user;
    const note: FromPage = { kind: "look", user };
    if (this.frame?.isHere) this.frame.port.postMessage(note);
  }

  private lost(reason: unknown): void {
    const { frame, waiting } = this;
    this.frame = undefined;
    this.world.clearTimeout(frame?.timer);
    frame?.port.close();
    frame?.remove();
    const calls = [...waiting.values()];
    waiting.clear();
    for (const { reject } of calls) reject(reason);
    if (!this.closed) this.listener.heard("link", { state: "broken" }, this.state.user);
  }

  /** The frame has crashed, or was taken out of the page. What it was asked may have been done or not. */
  private broken(): void {
    this.hasGap = true;
    this.lost("offline");
    this.again = this.world.setTimeout(() => {
      if (!this.frame) this.begin();
    }, AGAIN_MS);
  }

  close(): void {
    this.closed = true;
    this.world.clearTimeout(this.again);
    this.lost("offline");
  }
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

/**
 * The frame's end of the bridge: on the server's origin, around it a page of another one. It takes a seat among the tabs of
 * its own origin and passes everything on to the page. Decides who is let in; `web/bridge` is the page that it runs in.
 *
 * The server names the one origin whose pages may stand around this frame in the policy of its answer, so a browser shows it
 * to no others. What is asked here is asked again for whoever reaches this window in another way.
 */

import type { Events, Link } from "../api";
import type { Calls } from "../shell/calls";
import { Groups } from "../core/groups";
import { type Listener, type Seat, sit } from "../shell/seat";
import type { TabState } from "../shell/tabs";
import { browser, type World } from "../shell/world";
import { type FromFrame, type FromPage, type Hello, VERSION } from "./notes";

/** All calls that a page may make. A newer page may know of more. */
const CALLS: Record<keyof Calls, true> = {
  start: true,
  signIn: true,
  claimVisitor: true,
  signOut: true,
  send: true,
  resend: true,
  discard: true,
  edit: true,
  recall: true,
  react: true,
  remove: true,
  block: true,
  typing: true,
  markRead: true,
  conversations: true,
  history: true,
  ask: true,
  setDraft: true,
  drafts: true,
  enterRoom: true,
  leaveRoom: true,
  sayInRoom: true,
  roomHistory: true,
  looked: true,
  wake: true,
};

/** A message to this frame's window, from whomever. */
export type Knock = Pick<MessageEvent<unknown>, "data" | "origin" | "source" | "ports">;

/** Lets in the page around this frame, once, if it is of this origin. Everybody else hears nothing at all. */
export function bridge(page: unknown, origin: string, world: World = browser()): (knock: Knock) => void {
  let guest: Guest | undefined;
  return ({ data, origin: from, source, ports }) => {
    const [port] = ports;
    if (guest || source !== page || from !== origin || !port || !isHello(data)) return;
    guest = new Guest(world, data, port);
  };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const isText = (value: unknown) => value === undefined || typeof value === "string";

function isHello(data: unknown): data is Hello {
  if (!isObject(data) || data["hongyanBridge"] !== VERSION || !isObject(data["options"]) || !isObject(data["link"])) return false;
  const { app, client, profile } = data["options"];
  return typeof app === "string" && isText(client) && isText(profile);
}

/** The page that was let in. */
class Guest implements Listener {
  link: Link;
  private readonly seat: Seat;

  constructor(
    world: World,
    hello: Hello,
    private readonly port: MessagePort,
  ) {
    this.link = hello.link;
    port.onmessage = ({ data }) => void this.noted(data as FromPage);
    this.post({ kind: "here" });
    // Whatever the page calls the server, this frame speaks for its own origin.
    this.seat = sit({ ...hello.options, server: world.origin }, world, this, Groups);
    // The page takes the frame away, or goes itself.
    world.listen("pagehide", () => {
      this.post({ kind: "gone" });
      this.seat.close();
    });
  }

  private post(note: FromFrame): void {
    this.port.postMessage(note);
  }

  heard<K extends keyof Events>(event: K, value: Events[K], user: string | undefined): void {
    if (event === "link") this.link = value as Link;
    this.post({ kind: "event", event, value, user });
  }

  joined(state: TabState): void {
    this.link = state.link;
    this.post({ kind: "joined", state });
  }

  private async noted(note: FromPage): Promise<void> {
    if (note.kind === "look") return this.seat.look(note.user);
    const { id, method, args } = note;
    this.post({ kind: "here" });
    try {
      if (!Object.hasOwn(CALLS, method)) throw `the frame knows no ${method}`;
      const call = this.seat.call as (method: keyof Calls, ...args: unknown[]) => Promise<unknown>;
      this.post({ kind: "answer", id, value: await call.apply(this.seat, [method, ...args]) });
    } catch (error) {
      this.post({ kind: "answer", id, error });
    }
  }
}

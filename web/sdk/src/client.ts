/** What an application holds: its calls go to the leading tab, its events come from there. */

import type { Client, Credential, Events, Link, Options, Room, SendOptions } from "./api";
import { Emitter } from "./emitter";
import { TabRoom } from "./room";
import { keepMark, keptMark } from "./shell/mark";
import { type Listener, nameOf, type Seat } from "./shell/seat";
import type { TabState } from "./shell/tabs";
import { browser, type World } from "./shell/world";

const ID_BYTES = 16;

/** The mark of the visitor who has spoken in this browser, on a page of this site: for `claimVisitor`, or to know whether there is one. */
export const visitorMark = (options: Options, world: World = browser()): string | undefined => keptMark(world.storage, nameOf({ ...options, visitor: true }, world))?.mark;

/** After it was claimed. */
export const forgetVisitorMark = (options: Options, world: World = browser()): void => keepMark(world.storage, nameOf({ ...options, visitor: true }, world), undefined);

export class TabClient extends Emitter<Events> implements Client, Listener {
  link: Link = { state: "idle" };
  user: string | undefined;
  private tabs: Seat;
  private closed = false;
  private readonly rooms: TabRoom[] = [];
  private readonly unlisten: (() => void)[];

  constructor(
    private readonly world: World,
    sit: (listener: Listener) => Seat,
  ) {
    super();
    this.tabs = sit(this);
    this.unlisten = [
      // A page that is put aside must not keep the connection from the others.
      world.listen("pagehide", (event) => event?.persisted && this.tabs.close()),
      world.listen("pageshow", (event) => {
        if (event?.persisted && !this.closed) this.tabs = sit(this);
      }),
      // The leader may be a tab that hears nothing of this.
      world.listen("visibilitychange", () => world.isVisible() && void this.tabs.call("wake").catch(() => undefined)),
    ];
  }

  heard<K extends keyof Events>(event: K, value: Events[K], user: string | undefined): void {
    this.user = user;
    if (event === "link") this.link = value as Link;
    this.emit(event, value);
  }

  joined({ link, user }: TabState): void {
    this.user = user;
    for (const room of this.rooms) room.led();
    if (JSON.stringify(link) === JSON.stringify(this.link)) return;
    this.link = link;
    this.emit("link", link);
  }

  room(room: string, name: string): Room {
    const made = new TabRoom(room, name, () => this.tabs, () => this.id(), this);
    this.rooms.push(made);
    return made;
  }

  private id(): Uint8Array {
    return this.world.random(ID_BYTES);
  }

  start = () => this.tabs.call("start");
  signIn = (credential: Credential) => this.tabs.call("signIn", credential);
  claimVisitor = (mark: string) => this.tabs.call("claimVisitor", mark);
  signOut = () => this.tabs.call("signOut");

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const stop of this.unlisten) stop();
    this.tabs.close();
    this.forgetHandlers();
  }

  send = (user: string, text: string, options: SendOptions = {}) => this.tabs.call("send", user, text, options, this.id(), this.world.clock());

  resend = (local: number) => this.tabs.call("resend", local);
  discard = (local: number) => this.tabs.call("discard", local);
  edit = async (user: string, seq: number, text: string) => void (await this.tabs.call("edit", user, seq, text, this.id()));
  recall = async (user: string, seq: number) => void (await this.tabs.call("recall", user, seq, this.id()));
  react = async (user: string, seq: number, emoji: string, on: boolean) =>
    void (await this.tabs.call("react", user, seq, emoji, on, this.id()));
  remove = (user: string, seqs: number[]) => this.tabs.call("remove", user, seqs);
  block = async (user: string, on: boolean) => void (await this.tabs.call("block", user, on));

  typing(user: string, stopped = false): void {
    void this.tabs.call("typing", user, stopped).catch(() => undefined);
  }

  markRead(user: string, seq: number): void {
    void this.tabs.call("markRead", user, seq).catch(() => undefined);
  }

  look(user: string | undefined): void {
    this.tabs.look(user);
  }

  conversations = () => this.tabs.call("conversations");
  history = (user: string, options: { before?: number; limit?: number; asVisitor?: string } = {}) =>
    this.tabs.call("history", user, options.before, options.limit, options.asVisitor);
  ask = (operation: number, body: Uint8Array) => this.tabs.call("ask", operation, body);
  setDraft = (user: string, text: string) => this.tabs.call("setDraft", user, text);
  drafts = () => this.tabs.call("drafts");
}

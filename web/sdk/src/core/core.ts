/**
 * The behaviour of a client as a state machine: bytes, commands and time in; rows, effects, frames and events out. No
 * socket, clock, storage or randomness lives here. The same behaviour as `crates/client/src/core`.
 *
 * After every input the shell takes the output and acts in this order, which makes a crash at any point harmless: keep
 * `rows` in one transaction, do `effects`, send `frames`, tell `events`. It calls `timeout` at `deadline`.
 *
 * One file per noun: link, inbox, outbox, conversations, reads, requests, rooms, groups.
 */

import type { Credential } from "../api";
import { decode, encode, type Init, type Type } from "../wire/codec";
import { ANSWER, command, kindOf, NOTIFY, Operation, operationOf, REQUEST } from "../wire/command";
import { type Frame, FrameReader, writeFrame } from "../wire/frame";
import * as proto from "../wire/proto";
import { about, to } from "./alias";
import { Conversations } from "./conversations";
import type { Effect, Event, Request } from "./event";
import type { Groups } from "./groups";
import { Inbox } from "./inbox";
import { Jitter } from "./jitter";
import { LinkControl } from "./link";
import { Outbox } from "./outbox";
import { Reads } from "./reads";
import { type Pending, Requests } from "./requests";
import { Rooms } from "./rooms";
import type { OutboxRow, Restored, Row, Session } from "./rows";

export interface Config {
  app: string;
  /** 1-32 random bytes, chosen once per database; cursors belong to it. */
  deviceId: Uint8Array;
  /** Name and version of the application, at most 64 bytes. */
  client: string;
  /** Sends that may wait for their answer at the same time. */
  sendWindow?: number;
  /** Entries wanted per page of the inbox, 1-200. */
  syncEntries?: number;
  /** Feeds the jitter of timers: different for every client. */
  seed: number;
}

export interface Output {
  rows: Row[];
  effects: Effect[];
  frames: Uint8Array[];
  events: Event[];
}

/** The earliest of some deadlines. */
export function earliest(...times: (number | undefined)[]): number | undefined {
  let first: number | undefined;
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time;
  return first;
}

/** Makes the part of a core that knows groups. Without it there are none: a visitor's client is smaller so. */
export type MakeGroups = new (core: Core, token: number | undefined) => Groups;

export class Core {
  readonly config: Required<Config>;
  readonly link = new LinkControl(this);
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly conversations: Conversations;
  readonly reads: Reads;
  readonly requests = new Requests(this);
  readonly rooms = new Rooms(this);
  readonly groups: Groups | undefined;
  readonly jitter: Jitter;
  /** Requests on this connection, by id. */
  readonly pending = new Map<number, Pending>();
  credential: Credential | undefined;
  session: Session | undefined;
  user: string | undefined;
  /** Of a visitor. */
  mark: string | undefined;
  private reader = new FrameReader();
  private output: Output = { rows: [], effects: [], frames: [], events: [] };

  constructor(config: Config, restored: Restored, WithGroups?: MakeGroups) {
    this.config = { sendWindow: 64, syncEntries: 200, ...config };
    this.user = restored.user ?? restored.session?.user;
    this.session = restored.session;
    this.mark = restored.mark;
    this.jitter = new Jitter(config.seed);
    this.groups = WithGroups && new WithGroups(this, restored.groups);
    this.inbox = new Inbox(this, restored.inbox);
    this.outbox = new Outbox(this, restored.outbox);
    this.conversations = new Conversations(this, restored.conversations, restored.list);
    this.reads = new Reads(this, restored.reads);
  }

  /** Begins, or begins again after `stopped`: the user's wish to be connected. */
  start(now: number): void {
    if (this.link.is("idle") || this.link.is("stopped")) this.link.dial(now);
  }

  /** The network has changed, or the page is looked at again: the next attempt does not wait, a live link is checked. */
  wake(now: number): void {
    this.link.wakeUp(now);
  }

  /** Leaves a live connection for a better one that the shell has ready. */
  move(now: number): void {
    if (this.link.is("live")) this.link.moveOn(now);
  }

  /** The dialled connection stands. `quiet`: the shell sees to it that the peer lives, no heartbeat is needed. */
  connected(now: number, quiet: boolean): void {
    if (!this.link.is("connecting")) return;
    this.reader = new FrameReader();
    this.link.connected(now, quiet);
    this.finish(now);
  }

  received(now: number, bytes: Uint8Array): void {
    if (!this.link.open) return;
    this.link.heard(now);
    try {
      for (const frame of this.reader.read(bytes)) {
        this.frame(now, frame);
        if (!this.link.open) break;
      }
    } catch {
      // A bad frame, or a body that does not parse.
      this.link.broken(now, "violation");
    }
    this.finish(now);
  }

  /** The connection could not be made, or is gone. */
  disconnected(now: number): void {
    if (!this.link.isDown()) this.link.brokenByPeer(now, "disconnected");
    this.finish(now);
  }

  /** `deadline` has come. May be called at any time. */
  timeout(now: number): void {
    this.link.timeout(now);
    this.inbox.timeout(now);
    this.outbox.timeout(now);
    this.reads.timeout(now);
    this.conversations.timeout(now);
    this.requests.timeout(now);
    this.rooms.timeout(now);
    this.finish(now);
  }

  /** Puts a message into the outbox, or finds it there by its client_message_id; undefined if it may not be queued. */
  send(now: number, request: Init<proto.SendRequest>, writtenMs: number): OutboxRow | undefined {
    const row = this.outbox.enqueue(request, writtenMs);
    this.finish(now);
    return row;
  }

  /** Tries a failed message again, with the same client_message_id. */
  resend(now: number, local: number): boolean {
    const found = this.outbox.resend(local);
    this.finish(now);
    return found;
  }

  /** Forgets a failed message. */
  discard(local: number): boolean {
    return this.outbox.discard(local);
  }

  /** The user has read everything up to `seq`. Repeated until the server confirms; marks never go down. */
  markRead(now: number, user: string, seq: number): void {
    if (this.conversations.markHere(user, seq)) this.reads.queue(user, seq);
    this.finish(now);
  }

  /** Somebody has left a screen, or the page: what was stored of groups is acknowledged at once. */
  looked(now: number): void {
    this.groups?.flush();
    this.finish(now);
  }

  /** Dropped unless the link is live. */
  typing(now: number, user: string, stopped: boolean): void {
    if (this.link.is("live")) this.write(now, Operation.TYPING, proto.TypingRequest, { id: this.link.nextId(), ...to(user), stopped });
  }

  /** Asks the server; the answer comes as an event with this token. */
  request(now: number, token: number, request: Request): void {
    this.requests.ask(now, token, request);
    this.finish(now);
  }

  /** Enters rooms, leaves them, speaks in them; answers come as events with the tokens that were given. */
  room(now: number, act: (rooms: Rooms) => void): void {
    act(this.rooms);
    this.finish(now);
  }

  /** Opens a new session, whatever the link does; an earlier session of this device ends with it. */
  signIn(now: number, credential: Credential): void {
    this.abandon(now);
    this.credential = credential;
    if (this.session) this.forgetSession();
    this.link.dial(now);
  }

  /** As `signIn`, but a session that the server still takes goes on. */
  continueAs(now: number, credential: Credential): void {
    this.credential = credential;
    this.start(now);
  }

  /** Leaves the connection and does not come back by itself. Nothing but the credential is forgotten. */
  abandon(now: number): void {
    this.credential = undefined;
    this.rooms.endAll();
    this.link.rest(now);
  }

  /** The store lost everything: keep again what is known here; cached messages are to be read anew. */
  storeLost(now: number): void {
    this.conversations.forgetCovered();
    this.keep({ kind: "device", value: this.config.deviceId });
    if (this.user) this.keep({ kind: "user", value: this.user });
    if (this.mark) this.keep({ kind: "mark", value: this.mark });
    this.keep({ kind: "session", value: this.session && { ...this.session } });
    this.inbox.keepAll();
    this.outbox.keepAll();
    this.reads.keepAll();
    this.conversations.wantList();
    this.groups?.renew();
    this.tell({ kind: "reset" });
    this.finish(now);
  }

  take(): Output {
    const output = this.output;
    this.output = { rows: [], effects: [], frames: [], events: [] };
    return output;
  }

  /** When `timeout` must be called at the latest. */
  deadline(): number | undefined {
    return earliest(
      this.link.deadline(),
      this.inbox.deadline(),
      this.outbox.checkAt,
      this.reads.deadline(),
      this.conversations.againAt,
      this.requests.checkAt,
      this.rooms.deadline(),
      this.groups?.deadline(),
    );
  }

  // What follows is for the parts of the core.

  tell(event: Event): void {
    this.output.events.push(event);
  }

  keep(row: Row): void {
    this.output.rows.push(row);
  }

  effect(effect: Effect): void {
    this.output.effects.push(effect);
  }

  /** Writes a request if there is a connection. */
  write<T>(now: number, operation: number, type: Type<T>, message: Init<T>): void {
    this.writeBody(now, operation, encode(type, message));
  }

  writeBody(now: number, operation: number, body: Uint8Array): void {
    if (!this.link.open) return;
    this.output.frames.push(writeFrame(command(REQUEST, operation), body));
    this.link.wrote(now);
  }

  /** Everything of the inbox has arrived. */
  caughtUp(): void {
    if (this.groups) this.groups.caughtUp();
    else this.tell({ kind: "caughtUp" });
  }

  /** A group's entries are told to everybody alike, and name their sender: marks those of this user. */
  markOwn(entries: readonly proto.Entry[]): void {
    for (const entry of entries) {
      if (!entry.sender) continue;
      entry.own = entry.sender === this.user;
      // All who gave it are named if they are few.
      for (const reaction of entry.reactions) if (reaction.users.length >= reaction.count) reaction.own = reaction.users.includes(this.user ?? "");
      if (entry.change?.target) this.markOwn([entry.change.target]);
    }
  }

  /** Everything that belonged to the connection ends with it. */
  lose(now: number): void {
    this.output.frames = [];
    this.outbox.linkLost(now);
    this.inbox.linkLost();
    this.reads.linkLost();
    this.conversations.linkLost();
    this.groups?.linkLost();
    this.requests.fail();
    this.rooms.linkLost();
  }

  keepSession(): void {
    this.keep({ kind: "session", value: this.session && { ...this.session } });
  }

  forgetSession(): void {
    this.session = undefined;
    this.keepSession();
  }

  /** The end of every input: acknowledge, then send what may be sent. */
  private finish(now: number): void {
    this.inbox.finish(now);
    this.conversations.pump(now);
    this.reads.pump(now);
    this.outbox.pump(now);
    this.rooms.pump(now);
    this.groups?.pump(now);
    this.conversations.finish();
  }

  private frame(now: number, { command: number, body }: Frame): void {
    const operation = operationOf(number);
    const early = operation === Operation.LOGIN || operation === Operation.RESUME || operation === Operation.CLOSE;
    if (!early && !this.link.is("live")) this.link.broken(now, "violation");
    else if (kindOf(number) === ANSWER) this.answer(now, operation, body);
    else if (kindOf(number) === NOTIFY) this.notify(now, operation, body);
  }

  private answer(now: number, operation: number, body: Uint8Array): void {
    switch (operation) {
      case Operation.SEND: {
        const answer = decode(proto.SendAnswer, body);
        const waiting = this.forget(answer.id, "send");
        if (waiting) this.outbox.answered(now, waiting.local, answer);
        else this.rooms.answered(now, answer);
        break;
      }
      case Operation.HISTORY: {
        const answer = decode(proto.HistoryAnswer, body);
        if (!this.rooms.answered(now, answer) && !this.groups?.answered(now, answer)) this.requests.answered(now, body);
        break;
      }
      case Operation.GROUPS: {
        const answer = decode(proto.GroupsAnswer, body);
        const asked = this.forget(answer.id, "groups");
        if (asked) this.groups?.listAnswered(now, answer, asked);
        break;
      }
      case Operation.ENTER_ROOM:
      // Whoever leaves hears only that.
      case Operation.LEAVE_ROOM:
        this.rooms.answered(now, decode(proto.EnterRoomAnswer, body));
        break;
      case Operation.ACK:
        this.inbox.ackAnswered(now, decode(proto.AckAnswer, body));
        break;
      case Operation.SYNC:
        this.inbox.pageAnswered(now, decode(proto.SyncAnswer, body));
        break;
      case Operation.KEEPALIVE:
        this.inbox.heartbeatAnswered(now, decode(proto.KeepaliveAnswer, body));
        break;
      case Operation.LOGIN:
        this.link.loginAnswered(now, decode(proto.LoginAnswer, body));
        break;
      case Operation.RESUME:
        this.link.resumeAnswered(now, decode(proto.ResumeAnswer, body));
        break;
      case Operation.MARK_READ: {
        const answer = decode(proto.MarkReadAnswer, body);
        const waiting = this.forget(answer.id, "read");
        if (waiting) this.reads.answered(now, waiting.user, waiting.seq, answer);
        break;
      }
      case Operation.CONVERSATIONS: {
        const answer = decode(proto.ConversationsAnswer, body);
        const list = this.forget(answer.id, "list");
        if (list) this.conversations.listAnswered(answer, list.hidden);
        const top = this.forget(answer.id, "top");
        if (top) this.conversations.topAnswered(answer, top.hidden);
        break;
      }
      case Operation.RECEIPTS: {
        const answer = decode(proto.ReceiptsAnswer, body);
        if (this.forget(answer.id, "receipts")) this.conversations.noteReceipts(answer.receipts);
        break;
      }
      default:
        this.requests.answered(now, body);
    }
  }

  /** Takes a request that waits out of `pending`, if it is of this kind. */
  forget<K extends Pending["kind"]>(id: number, kind: K): Extract<Pending, { kind: K }> | undefined {
    const waiting = this.pending.get(id);
    if (waiting?.kind !== kind) return undefined;
    this.pending.delete(id);
    return waiting as Extract<Pending, { kind: K }>;
  }

  private typed(typing: proto.TypingNotify): void {
    const { user, stopped, group } = typing;
    this.tell({ kind: "typing", user: about(typing), stopped, sender: group && user });
  }

  private notify(now: number, operation: number, body: Uint8Array): void {
    switch (operation) {
      case Operation.MESSAGE:
        this.inbox.pushed(now, decode(proto.MessageNotify, body).entries);
        break;
      case Operation.RECEIPT:
        this.conversations.noteReceipts(decode(proto.ReceiptNotify, body).receipts);
        break;
      case Operation.HINT:
        this.inbox.noteHead(now, decode(proto.HintNotify, body).inboxHead);
        break;
      case Operation.TYPING:
        this.typed(decode(proto.TypingNotify, body));
        break;
      case Operation.GROUP:
        this.groups?.notified(now, decode(proto.GroupNotify, body));
        break;
      case Operation.ROOM:
        this.rooms.notified(decode(proto.RoomNotify, body));
        break;
      case Operation.GOAWAY:
        this.link.goAway(now, decode(proto.GoawayNotify, body));
        break;
      case Operation.KICKOUT:
        this.link.kicked(decode(proto.KickoutNotify, body));
        break;
      case Operation.CLOSE:
        this.link.closedByServer(now, decode(proto.CloseNotify, body).refusal);
        break;
      // A newer server may tell more than this client knows.
    }
  }
}

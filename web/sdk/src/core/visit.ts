/**
 * A session's stay in one room, from the wish to enter until the server has confirmed that it has left (PROTOCOL.md
 * §20). Nothing of it is kept on disk. What the server says comes from `rooms.ts`.
 *
 * A visit goes on when the connection is another one: it is entered again under the same name, what was missed is read,
 * and what was said without an answer is said again under the same client_message_id.
 */

import { utf8 } from "../wire/codec";
import { BodyType, type EnterRoomAnswer, type Entry, type HistoryAnswer, type Refusal, type RoomNotify, type SendAnswer } from "../wire/proto";
import { earliest } from "./core";

/** How often the same is asked for without success. */
export const TRIES_MAX = 5;
/** First pause after a retryable refusal that gives no advice. */
const RETRY_AFTER_MS = 1_000;
/** What is missing below an own message is probably on its way; it is asked for after so long. */
const LATE_MS = 1_000;

/** A text on its way, or a page of what was said before. `token` says who waits for it. */
export type Task =
  | { kind: "say"; token: number; clientMessageId: Uint8Array; text: string }
  | { kind: "older"; token: number; beforeSeq: number; limit: number };

export interface Waiting {
  task: Task;
  flies: boolean;
  notBefore: number;
  tries: number;
}

/** What a room is asked. */
export type Ask = { kind: "enter" } | { kind: "leave" } | { kind: "missed" } | { kind: "task"; waiting: Waiting };

/** What has happened in a room, for the application. */
export type Told =
  | { kind: "out"; refusal?: Refusal | undefined }
  | { kind: "entering" }
  /** Everything up to `seq` was told, or is older than this stay. */
  | { kind: "in"; names: string[]; seq: number; charactersMax: number }
  | { kind: "names"; names: string[] }
  /** Ascending; each entry of a stay once. */
  | { kind: "entries"; entries: Entry[] }
  /** The log is not the one of before: what was told may be gone. */
  | { kind: "reset"; seq: number };

export class Visit {
  stage: "entering" | "in" | "leaving" = "entering";
  /** ENTER_ROOM or LEAVE_ROOM was asked on this connection. */
  asked = false;
  /** Who waits until this is entered or left. */
  tokens: number[] = [];
  /** Where to go when this is left. */
  next: Visit | undefined;
  names: string[] = [];
  /** The name as the server writes it: without the white space around it. */
  private own: string;
  charactersMax = 0;
  /** The server has sent everybody out. */
  isOver = false;
  /** Who came and went before the answer of ENTER_ROOM, which may not know of it. */
  private early: Pick<RoomNotify, "entered" | "left">[] = [];
  readonly waiting: Waiting[] = [];
  notBefore = 0;
  tries = 0;
  /** The newest entry that is known to exist. */
  private head = 0;
  /** Where entries lie between `seq` and `head`, they are asked for from then on. */
  missedFrom = 0;
  asksMissed = false;

  constructor(
    readonly room: string,
    readonly name: string,
    /** Everything up to here was told; absent before the first entry. */
    private seq: number | undefined,
  ) {
    this.own = name;
  }

  get isBehind(): boolean {
    return this.head > (this.seq ?? 0);
  }

  get lastSeq(): number {
    return this.seq ?? 0;
  }

  linkLost(): void {
    this.asked = this.asksMissed = false;
    this.early = [];
    for (const one of this.waiting) one.flies = false;
    if (this.stage === "in") this.stage = "entering";
  }

  /** What may be asked now; asked means asked. */
  *due(now: number): Generator<Ask> {
    if (this.stage !== "in") {
      if (this.asked || this.notBefore > now) return;
      this.asked = true;
      yield { kind: this.stage === "leaving" ? "leave" : "enter" };
      return;
    }
    if (this.isBehind && !this.asksMissed && this.missedFrom <= now) {
      this.asksMissed = true;
      yield { kind: "missed" };
    }
    for (const waiting of this.grounded()) {
      if (waiting.notBefore > now) continue;
      waiting.flies = true;
      yield { kind: "task", waiting };
    }
  }

  /** What may fly. One text at a time: a refused one must not be overtaken. */
  private grounded(): Waiting[] {
    const first = this.waiting.find(({ task }) => task.kind === "say");
    return this.waiting.filter((one) => !one.flies && (one.task.kind !== "say" || one === first));
  }

  /** When `due` has something again, if it has just been asked over a live link. */
  deadline(): number | undefined {
    if (this.stage !== "in") return this.asked ? undefined : this.notBefore;
    return earliest(this.isBehind && !this.asksMissed ? this.missedFrom : undefined, ...this.grounded().map((one) => one.notBefore));
  }

  /** Tried again after a while; false if that was too often. */
  static retry(now: number, what: { notBefore: number; tries: number }, refusal: Refusal): boolean {
    const pause = Math.max(refusal.retryAfterMs, RETRY_AFTER_MS * 2 ** what.tries);
    what.tries += 1;
    what.notBefore = now + pause;
    return refusal.retryable && what.tries < TRIES_MAX;
  }

  entered(answer: EnterRoomAnswer): Told[] {
    this.stage = "in";
    this.tries = 0;
    this.names = answer.names;
    // The first is the asker's.
    if (!answer.names.includes(this.name)) this.own = answer.names[0] ?? this.name;
    for (const passage of this.early.splice(0)) this.pass(passage);
    this.charactersMax = answer.textCharactersMax;
    const told: Told[] = [];
    if (this.seq === undefined) this.seq = answer.headSeq;
    else if (this.seq > answer.headSeq) {
      this.seq = this.head = answer.headSeq;
      told.push({ kind: "reset", seq: this.seq });
    }
    this.noteHead(answer.headSeq);
    return [this.present(), ...told];
  }

  present(): Told {
    return { kind: "in", names: [...this.names], seq: this.lastSeq, charactersMax: this.charactersMax };
  }

  private pass({ entered, left }: Pick<RoomNotify, "entered" | "left">): void {
    this.names = [...this.names.filter((name) => !left.includes(name) && !entered.includes(name)), ...entered];
  }

  /** Something exists that was not told. */
  private noteHead(head: number, missedFrom = 0): void {
    this.missedFrom = this.isBehind ? Math.min(this.missedFrom, missedFrom) : missedFrom;
    this.head = Math.max(this.head, head);
  }

  notified(notify: RoomNotify): Told[] {
    const { entries, entered, left } = notify;
    if (this.stage === "leaving") return [];
    if (this.stage === "entering") {
      this.early.push(notify);
      this.noteHead(entries.at(-1)?.seq ?? 0);
      return [];
    }
    const told: Told[] = this.take(entries, this.own);
    if (left.includes(this.own) && !entered.includes(this.own)) this.isOver = true;
    if (entered.length || left.length) {
      this.pass(notify);
      told.push({ kind: "names", names: [...this.names] });
    } else if (!entries.length) {
      // Something was dropped on the way here: names and head are asked for anew.
      this.stage = "entering";
      this.asked = false;
    }
    return told;
  }

  /** Tells what follows without a gap; what lies above one is read from the log. */
  private take(entries: Entry[], own?: string): Told[] {
    const next: Entry[] = [];
    for (const entry of entries) {
      if (entry.seq !== this.lastSeq + 1) {
        this.noteHead(entry.seq);
        continue;
      }
      this.seq = entry.seq;
      next.push(own === undefined ? entry : { ...entry, own: entry.from === own });
    }
    this.head = Math.max(this.head, this.lastSeq);
    return next.length ? [{ kind: "entries", entries: next }] : [];
  }

  /** A page of what was missed. */
  read({ entries, coveredTo }: HistoryAnswer): Told[] {
    this.asksMissed = false;
    const next = entries.filter((entry) => entry.seq > this.lastSeq);
    const to = Math.max(coveredTo, next.at(-1)?.seq ?? 0);
    // What the log does not have will never come.
    this.seq = to > this.lastSeq ? to : this.head;
    this.head = Math.max(this.head, this.seq);
    return next.length ? [{ kind: "entries", entries: next }] : [];
  }

  /** The server has the text. */
  said(now: number, { text, clientMessageId }: Task & { kind: "say" }, answer: SendAnswer, empty: Entry): Told[] {
    const { seq, serverTimeMs } = answer;
    if (seq > this.lastSeq + 1) {
      this.noteHead(seq, now + LATE_MS);
      return [];
    }
    return this.take([{ ...empty, seq, serverTimeMs, type: BodyType.TEXT, body: utf8(text), own: true, from: this.own, clientMessageId }]);
  }

  forget(waiting: Waiting): void {
    this.waiting.splice(this.waiting.indexOf(waiting), 1);
  }
}

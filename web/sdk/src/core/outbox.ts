/**
 * Messages on their way out: queued → flying → stored, or failed (PROTOCOL.md §7). The same client_message_id always; in
 * the order of writing within a conversation; a bounded window of unanswered sends.
 *
 * The gate answers a session's sends in order or closes the connection, so several of one conversation may fly at once.
 * What was refused for now goes back to its place in the queue and holds its conversation until it is due; and nothing
 * new flies there before all is known of what had taken off behind it, because that is refused, too.
 */

import { encode, type Init, decode, utf8 } from "../wire/codec";
import { Operation } from "../wire/command";
import * as proto from "../wire/proto";
import { about, isGroup } from "./alias";
import { type Core, earliest } from "./core";
import { needsLogin } from "./refusal";
import type { OutboxRow, OutboxState } from "./rows";

/** A send that is not answered in so long is repeated on another connection, then after twice the time, and so on. */
const RESEND_AFTER_MS = 5_000;
/** Attempts before a message counts as failed. Repeats because a connection broke by itself are none. */
const TRIES_MAX = 5;
/** A message that was in the server's hands for so long without an answer has failed. Time without a link is free. */
const GIVE_UP_AFTER_MS = 120_000;
/** First pause after a retryable refusal that gives no advice. */
const RETRY_AFTER_MS = 1000;
/** Most messages that may wait. */
const ROWS_MAX = 10_000;
const ID_BYTES = 16;
export const BODY_BYTES_MAX = 16_384;
const TEXT_BYTES_MAX = 4_096;

type Stage =
  | { kind: "queued"; notBefore: number }
  | { kind: "flying"; since: number; answerBy: number }
  | { kind: "stored"; inboxSeq: number }
  | { kind: "failed"; refusal?: proto.Refusal | undefined };

interface Waiting {
  request: proto.SendRequest;
  /** The conversation, as in `alias.ts`. */
  user: string;
  writtenMs: number;
  stage: Stage;
  tries: number;
  /** Time in the server's hands, without the current flight. */
  spent: number;
}

/** What the server says of a message it keeps. */
export interface StoredAt {
  seq: number;
  inboxSeq: number;
  serverTimeMs: number;
  messageCount: number;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function isValid(request: proto.SendRequest): boolean {
  const { clientMessageId, body, text } = request;
  return !!about(request) && clientMessageId.length === ID_BYTES && body.length >= 1 && body.length <= BODY_BYTES_MAX && utf8(text).length <= TEXT_BYTES_MAX;
}

export class Outbox {
  /** In the order of writing. */
  private readonly rows = new Map<number, Waiting>();
  private flying = 0;
  /** The newest message in the air when one of its conversation was refused for now; until all up to it have landed. */
  private readonly refused = new Map<string, number>();
  private nextLocal = 1;
  /** Not later than the first repeat or failure that becomes due. */
  checkAt: number | undefined;

  constructor(
    private readonly core: Core,
    restored: OutboxRow[],
  ) {
    for (const { local, writtenMs, request, state } of [...restored].sort((a, b) => a.local - b.local)) {
      this.nextLocal = local + 1;
      const stage: Stage = state.kind === "queued" ? { kind: "queued", notBefore: 0 } : state;
      const user = about(request);
      this.rows.set(local, { request, user, writtenMs, stage, tries: 0, spent: 0 });
      if (state.kind === "stored") this.log(user)?.awaitOwn(state.inboxSeq, local, user);
    }
  }

  /** Where a message of this conversation comes back to its sender. */
  private log(user: string): Core["inbox"] | Core["groups"] {
    return isGroup(user) ? this.core.groups : this.core.inbox;
  }

  row(local: number): OutboxRow | undefined {
    const waiting = this.rows.get(local);
    if (!waiting) return undefined;
    const { stage, writtenMs, request } = waiting;
    const state: OutboxState = stage.kind === "queued" || stage.kind === "flying" ? { kind: "queued" } : stage;
    return { local, writtenMs, request, state };
  }

  /** What the server has not confirmed of a conversation, in the order of writing. */
  waitingFor(user: string): OutboxRow[] {
    const waiting = [...this.rows].filter(([, row]) => row.user === user && row.stage.kind !== "stored");
    return waiting.map(([local]) => this.row(local)!);
  }

  /** The unsettled row with this id. */
  unsettled(clientMessageId: Uint8Array, user: string): number | undefined {
    for (const [local, row] of this.rows) {
      if (row.stage.kind !== "stored" && row.user === user && same(row.request.clientMessageId, clientMessageId)) return local;
    }
    return undefined;
  }

  keepAll(): void {
    for (const local of this.rows.keys()) this.keepRow(local);
  }

  /** What was in flight goes back to its place in the queue and is repeated at once on the next connection. */
  linkLost(now: number): void {
    this.checkAt = undefined;
    for (const row of this.rows.values()) {
      if (row.stage.kind === "flying") row.spent += now - row.stage.since;
      else if (row.stage.kind !== "queued") continue;
      row.stage = { kind: "queued", notBefore: 0 };
    }
    this.flying = 0;
    this.refused.clear();
  }

  enqueue(init: Init<proto.SendRequest>, writtenMs: number): OutboxRow | undefined {
    const request = decode(proto.SendRequest, encode(proto.SendRequest, init));
    if (!isValid(request) || this.rows.size >= ROWS_MAX) return undefined;
    const user = about(request);
    const known = this.unsettled(request.clientMessageId, user);
    if (known !== undefined) return this.row(known);
    const local = this.nextLocal++;
    this.rows.set(local, { request, user, writtenMs, stage: { kind: "queued", notBefore: 0 }, tries: 0, spent: 0 });
    this.keepRow(local);
    this.tell(local);
    return this.row(local);
  }

  private keepRow(local: number): void {
    const row = this.row(local);
    if (row) this.core.keep({ kind: "outbox", row });
  }

  private tell(local: number, entry?: proto.Entry): void {
    const row = this.row(local);
    if (row) this.core.tell(entry ? { kind: "outgoing", row, entry } : { kind: "outgoing", row });
  }

  /** Sends what the window and the order allow. */
  pump(now: number): void {
    if (!this.core.link.is("live")) return;
    for (const [local, row] of this.due(now)) {
      this.flying += 1;
      row.tries = Math.max(row.tries, 1);
      this.fly(now, local, row);
    }
  }

  /** The rows that may fly now, oldest first. */
  private due(now: number): [number, Waiting][] {
    this.forgetRefused();
    const due: [number, Waiting][] = [];
    const held = new Set<string>();
    for (const [local, row] of this.rows) {
      if (this.flying + due.length >= this.core.config.sendWindow) break;
      const { stage, user } = row;
      if (stage.kind !== "queued" || held.has(user) || local > (this.refused.get(user) ?? Infinity)) continue;
      if (stage.notBefore > now) {
        held.add(user);
        this.checkAt = earliest(this.checkAt, stage.notBefore);
      } else due.push([local, row]);
    }
    return due;
  }

  /** Writes SEND.R and sets its timer. */
  private fly(now: number, local: number, row: Waiting): void {
    const id = this.core.link.nextId();
    const pause = RESEND_AFTER_MS * 2 ** Math.min(row.tries - 1, 8);
    const giveUp = now + GIVE_UP_AFTER_MS - row.spent;
    const answerBy = Math.min(now + pause + this.core.jitter.upTo(pause / 4), giveUp);
    row.stage = { kind: "flying", since: now, answerBy };
    this.checkAt = earliest(this.checkAt, answerBy);
    this.core.pending.set(id, { kind: "send", local });
    this.core.write(now, Operation.SEND, proto.SendRequest, { ...row.request, id });
  }

  timeout(now: number): void {
    if (!this.core.link.is("live") || this.checkAt === undefined || this.checkAt > now) return;
    this.checkAt = undefined;
    let repeats = false;
    for (const [local, row] of this.rows) {
      if (row.stage.kind !== "flying") continue;
      if (row.stage.answerBy > now) this.checkAt = earliest(this.checkAt, row.stage.answerBy);
      else if (this.isExhausted(now, row)) this.fail(now, local);
      else {
        row.tries += 1;
        repeats = true;
      }
    }
    // A connection loses nothing and answers in order, so a second copy on it would only come behind what was sent
    // meanwhile. All that is unanswered goes out again in order on another one.
    if (repeats) this.core.link.broken(now, "noAnswer");
  }

  private isExhausted(now: number, { tries, spent, stage }: Waiting): boolean {
    const flight = stage.kind === "flying" ? now - stage.since : 0;
    return tries >= TRIES_MAX || spent + flight >= GIVE_UP_AFTER_MS;
  }

  answered(now: number, local: number, answer: proto.SendAnswer): void {
    if (answer.refusal) this.sendRefused(now, local, answer.refusal);
    else this.settle(now, local, answer);
  }

  private sendRefused(now: number, local: number, refusal: proto.Refusal): void {
    if (needsLogin(refusal)) return this.core.link.sessionRefused(now, refusal);
    const row = this.rows.get(local);
    if (row?.stage.kind !== "flying") return;
    // The gate refuses what follows a refused message of the conversation; only the first one pays for it.
    const follows = this.hasEarlierQueued(local, row.user);
    if (!refusal.retryable || (this.isExhausted(now, row) && !follows)) return this.fail(now, local, refusal);
    let notBefore = now;
    if (!follows) {
      const pause = Math.max(refusal.retryAfterMs, RETRY_AFTER_MS * 2 ** Math.min(row.tries - 1, 8));
      notBefore = now + pause + this.core.jitter.upTo(pause / 4);
      row.tries += 1;
    }
    this.noteRefused(local, row.user);
    this.land(row, now, { kind: "queued", notBefore });
    this.checkAt = earliest(this.checkAt, notBefore);
  }

  private hasEarlierQueued(local: number, user: string): boolean {
    for (const [earlier, row] of this.rows) {
      if (earlier >= local) return false;
      if (row.stage.kind === "queued" && row.user === user) return true;
    }
    return false;
  }

  private noteRefused(local: number, user: string): void {
    if (this.refused.has(user)) return;
    let newest = local;
    for (const [other, row] of this.rows) if (other > local && row.stage.kind === "flying" && row.user === user) newest = other;
    this.refused.set(user, newest);
  }

  /** Forgets refusals whose followers have all landed, by an answer or because the inbox brought them. */
  private forgetRefused(): void {
    for (const [user, newest] of this.refused) {
      const flies = ([local, row]: [number, Waiting]) => local <= newest && row.stage.kind === "flying" && row.user === user;
      if (![...this.rows].some(flies)) this.refused.delete(user);
    }
  }

  /** Ends the flight or the wait of a row; it lands in another stage. */
  private land(row: Waiting, now: number, stage: Stage): void {
    if (row.stage.kind === "flying") {
      this.flying -= 1;
      row.spent += now - row.stage.since;
    }
    row.stage = stage;
  }

  private fail(now: number, local: number, refusal?: proto.Refusal): void {
    this.land(this.rows.get(local)!, now, { kind: "failed", refusal });
    this.tell(local);
    this.keepRow(local);
  }

  /**
   * The server keeps the message: told by its answer, or by finding it in the inbox. Late or repeated news of a row that
   * is settled already changes nothing.
   */
  settle(now: number, local: number, at: StoredAt): void {
    const row = this.rows.get(local);
    if (!row || row.stage.kind === "stored") return;
    const { user } = row;
    const inboxSeq = isGroup(user) ? at.seq : at.inboxSeq;
    this.land(row, now, { kind: "stored", inboxSeq });
    const { clientMessageId, type, body, replyTo, uncounted, silent, expiresAtMs, text, seenSeq, mentions, mentionAll } = row.request;
    const entry = decode(
      proto.Entry,
      encode(proto.Entry, {
        own: true,
        seq: at.seq,
        serverTimeMs: at.serverTimeMs,
        messageCount: at.messageCount,
        ...{ clientMessageId, type, body, replyTo, uncounted, silent, expiresAtMs, text, seenSeq, mentions, mentionAll },
        ...(isGroup(user) ? { sender: this.core.user ?? "" } : {}),
      }),
    );
    this.core.conversations.noteMessage(user, inboxSeq, entry);
    this.core.keep({ kind: "message", user, entry });
    this.tell(local, entry);
    this.log(user)?.ownArrived(now, inboxSeq, local, user);
    // If its entry lies above a gap, a restart must still know that this message has been shown.
    this.keepRow(local);
  }

  /** The cursor has passed the entry of a stored message: nothing can bring it again. */
  forgetSent(local: number): void {
    if (this.rows.delete(local)) this.core.keep({ kind: "outboxDone", local });
  }

  resend(local: number): boolean {
    const row = this.rows.get(local);
    if (row?.stage.kind !== "failed") return false;
    Object.assign(row, { stage: { kind: "queued", notBefore: 0 }, tries: 0, spent: 0 });
    this.keepRow(local);
    this.tell(local);
    return true;
  }

  discard(local: number): boolean {
    if (this.rows.get(local)?.stage.kind !== "failed") return false;
    this.forgetSent(local);
    return true;
  }
}

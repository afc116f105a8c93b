/**
 * The user's inbox on this device: one contiguous cursor, nothing shown twice, nothing skipped (PROTOCOL.md §8).
 *
 * Entries above a gap are set aside for a moment, because the missing one is usually on its way; then a page is asked
 * for. The cursor acknowledges cumulatively, once per burst, after its rows were kept.
 */

import { Operation } from "../wire/command";
import * as proto from "../wire/proto";
import { about, isGroup } from "./alias";
import { type Core, earliest } from "./core";
import { needsLogin } from "./refusal";
import type { InboxPosition } from "./rows";

/** A gap may close by itself for so long. */
const GAP_PATIENCE_MS = 300;
/** A device with nothing stored takes so many entries at most; beyond, the list and histories tell them better. */
const FIRST_SYNC_MAX = 1000;
/** Entries above a gap that are set aside; more are dropped and come again with a page. */
const AHEAD_MAX = 1024;
/** SYNC without an answer is repeated after so long, then after twice that. */
const SYNC_AFTER_MS = 5_000;
/** Unanswered SYNCs before the link is given up. */
const SYNC_TRIES_MAX = 3;
/** ACK without an answer is repeated after so long. */
const ACK_AFTER_MS = 5_000;
/** The user's own sends move the cursor, too, but nobody waits to hear of it. */
const LAZY_ACK_AFTER_MS = 20_000;

/** An entry that was set aside, or the row of the outbox whose entry it is: that one is never pushed here. */
type Slot = proto.InboxEntry | number;

interface Asked {
  id: number;
  /** The cursor that was asked from. */
  cursor: number;
  tries: number;
  againAt: number;
  /** How far the inbox is told to go since it was asked: the page may have been read before. */
  head: number;
}

export class Inbox {
  /** The cursor that was last written in a request. */
  private told = 0;
  private ahead = new Map<number, Slot>();
  private gapAt: number | undefined;
  private sync: Asked | undefined;
  private ackNow = false;
  private ackLazilyAt: number | undefined;
  private ackAgainAt: number | undefined;
  private moved = false;
  /** The last page said that there are more: conversations go further than is known here. */
  isBehind = false;

  constructor(
    private readonly core: Core,
    private position: InboxPosition | undefined,
  ) {}

  get cursor(): number {
    return this.position?.cursor ?? 0;
  }

  get logEpoch(): number {
    return this.position?.logEpoch ?? 0;
  }

  deadline(): number | undefined {
    return earliest(this.gapAt, this.sync?.againAt, this.ackLazilyAt, this.ackAgainAt);
  }

  linkLost(): void {
    this.isBehind = false;
    this.sync = undefined;
    this.gapAt = undefined;
    this.ackNow = false;
    this.ackLazilyAt = undefined;
    this.ackAgainAt = undefined;
    // What was set aside was not kept, and comes again; what the server holds of ours must be recognised.
    for (const [seq, slot] of this.ahead) if (typeof slot !== "number") this.ahead.delete(seq);
  }

  awaitOwn(inboxSeq: number, local: number): void {
    this.ahead.set(inboxSeq, local);
  }

  keepAll(): void {
    this.moved = this.position !== undefined;
  }

  /** After a login: where this device stands. */
  afterLogin(now: number, remembered: number, head: number, logEpoch: number): void {
    if (!this.position) {
      this.position = { cursor: head - remembered > FIRST_SYNC_MAX ? head : remembered, logEpoch };
      this.moved = true;
      this.core.conversations.wantList();
    } else if (this.position.logEpoch !== logEpoch || this.position.cursor > head) {
      this.reset(head, logEpoch);
    }
    this.told = remembered;
    if (this.cursor < head) this.ask(now);
    else {
      this.ackNow = this.cursor > remembered;
      this.core.caughtUp();
    }
  }

  /** After a resume: its answer carried the first page. The next frame confirms the epoch. */
  afterResume(now: number, page: proto.SyncAnswer | undefined): void {
    this.told = 0;
    if (page) this.page(now, page, this.cursor, 0);
    else this.ask(now);
    if (!this.sync && this.core.link.is("live")) this.acknowledge(now);
  }

  /** Entries that the server pushed. */
  pushed(now: number, entries: proto.InboxEntry[]): void {
    for (const entry of entries) {
      if (entry.inboxSeq <= this.cursor) {
        // A repeat means that the server has not heard of the cursor.
        this.ackNow = true;
        this.told = 0;
      } else if (entry.inboxSeq === this.cursor + 1) {
        this.advance(now, entry);
        this.drain(now);
      } else if (this.ahead.size < AHEAD_MAX && !this.ahead.has(entry.inboxSeq)) {
        this.ahead.set(entry.inboxSeq, entry);
      }
    }
    this.watchGap(now);
  }

  /** The entry of an own message became known from its answer: it counts as received. */
  ownArrived(now: number, inboxSeq: number, local: number): void {
    if (inboxSeq <= this.cursor) return this.core.outbox.forgetSent(local);
    if (inboxSeq === this.cursor + 1) {
      this.ahead.delete(inboxSeq);
      this.moveTo(inboxSeq);
      this.ownPassed(now, local);
      this.drain(now);
    } else this.awaitOwn(inboxSeq, local);
    this.watchGap(now);
  }

  private moveTo(cursor: number): void {
    if (!this.position) return;
    this.position = { cursor, logEpoch: this.position.logEpoch };
    this.gapAt = undefined;
    this.moved = true;
  }

  private watchGap(now: number): void {
    if (this.ahead.size === 0 || this.sync) this.gapAt = undefined;
    else if (this.gapAt === undefined && this.core.link.is("live")) this.gapAt = now + GAP_PATIENCE_MS;
  }

  /** Takes the next entry of the inbox. */
  private advance(now: number, entry: proto.InboxEntry): void {
    const known = this.ahead.get(entry.inboxSeq);
    this.ahead.delete(entry.inboxSeq);
    this.moveTo(entry.inboxSeq);
    if (typeof known === "number") return this.ownPassed(now, known);
    this.ackNow = true;
    this.apply(now, entry);
  }

  private ownPassed(now: number, local: number): void {
    this.core.outbox.forgetSent(local);
    this.ackLazilyAt ??= now + LAZY_ACK_AFTER_MS;
  }

  /** Takes what was set aside and has become next. */
  private drain(now: number): void {
    for (;;) {
      const next = this.cursor + 1;
      const slot = this.ahead.get(next);
      if (slot === undefined) return;
      if (typeof slot === "number") {
        this.ahead.delete(next);
        this.moveTo(next);
        this.ownPassed(now, slot);
      } else this.advance(now, slot);
    }
  }

  private apply(now: number, told: proto.InboxEntry): void {
    const { conversations, groups } = this.core;
    const { entry, read, deleted, gone, claimed, membership, mentioned } = told;
    const user = about(told);
    // The places of a group are those of its log, not of the inbox.
    const inboxSeq = told.group ? 0 : told.inboxSeq;
    if (entry) this.applyEntry(now, inboxSeq, user, entry);
    else if (read) conversations.applyRead(inboxSeq, user, read);
    else if (deleted) conversations.applyDeletion(inboxSeq, user, deleted);
    else if (gone) conversations.applyGone(inboxSeq, user, gone);
    else if (claimed) conversations.applyClaim(inboxSeq, user, claimed);
    else if (membership) groups?.refresh(now, user);
    else if (mentioned) groups?.noteMention(now, user, mentioned);
    // Otherwise told by a newer server; the place is taken all the same.
  }

  /** The next entry of a conversation's log; `inboxSeq`: its place in the inbox, or in a group's log. */
  applyEntry(now: number, inboxSeq: number, user: string, entry: proto.Entry): void {
    const { core } = this;
    if (entry.change) return core.conversations.applyChange(inboxSeq, user, entry.seq, entry.change, isGroup(user) ? entry.own : undefined);
    if (entry.own && entry.clientMessageId.length) {
      const local = core.outbox.unsettled(entry.clientMessageId, user);
      if (local !== undefined) return core.outbox.settle(now, local, { ...entry, inboxSeq });
    }
    core.conversations.noteMessage(user, inboxSeq, entry);
    core.keep({ kind: "message", user, entry });
    core.tell({ kind: "message", user, entry });
  }

  /** Somebody says how far the inbox goes. */
  noteHead(now: number, head: number): void {
    if (this.sync) this.sync.head = Math.max(this.sync.head, head);
    else if (head > Math.max(this.cursor, ...this.ahead.keys())) this.ask(now);
  }

  heartbeatAnswered(now: number, answer: proto.KeepaliveAnswer): void {
    if (answer.refusal) {
      if (!answer.refusal.retryable) this.core.link.sessionRefused(now, answer.refusal);
      return;
    }
    // The page will say RESET.
    if (answer.logEpoch !== this.logEpoch) this.ask(now);
    this.noteHead(now, answer.inboxHead);
    this.core.conversations.askLostReceipts(now);
  }

  /** Asks for the next page unless that is under way; acknowledges everything up to the cursor. */
  private ask(now: number): void {
    if (!this.sync && this.core.link.is("live")) this.askPage(now, 1);
  }

  private askPage(now: number, tries: number): void {
    const { core, cursor, logEpoch } = this;
    const id = core.link.nextId();
    const pause = SYNC_AFTER_MS * 2 ** (tries - 1);
    this.sync = { id, cursor, tries, againAt: now + pause + core.jitter.upTo(pause / 4), head: 0 };
    this.gapAt = undefined;
    this.acknowledged();
    core.write(now, Operation.SYNC, proto.SyncRequest, { id, inboxCursor: cursor, limit: core.config.syncEntries, logEpoch });
  }

  pageAnswered(now: number, answer: proto.SyncAnswer): void {
    // A page that was asked for again; the newer answer will do.
    if (!this.sync || this.sync.id !== answer.id) return;
    const { refusal } = answer;
    if (!refusal) {
      const { cursor, head } = this.sync;
      this.sync = undefined;
      this.page(now, answer, cursor, head);
    } else if (needsLogin(refusal)) this.core.link.sessionRefused(now, refusal);
    else if (!refusal.retryable) this.core.link.broken(now, "refused", refusal);
    else {
      const pause = Math.max(refusal.retryAfterMs, 1000);
      this.sync.againAt = now + pause + this.core.jitter.upTo(pause / 4);
    }
  }

  /** `head` = how far the inbox is known to go from elsewhere. */
  private page(now: number, page: proto.SyncAnswer, askedFrom: number, head: number): void {
    this.isBehind = page.more && !page.reset;
    if (page.reset || page.logEpoch !== this.logEpoch) {
      // What was pushed meanwhile is forgotten with the rest, but not that it exists.
      const told = Math.max(head, ...this.ahead.keys());
      this.reset(page.inboxHead, page.logEpoch);
      this.ackNow = true;
      this.noteHead(now, told);
      if (!this.sync) this.core.caughtUp();
      return;
    }
    for (const entry of page.entries) {
      if (entry.inboxSeq <= this.cursor) continue;
      if (entry.inboxSeq !== this.cursor + 1) return this.core.link.broken(now, "violation");
      this.advance(now, entry);
    }
    this.drain(now);
    if (page.more) {
      // Asking again from the same place would go on for ever. Pushes that overtook the page move the cursor as well.
      if (this.cursor === askedFrom) return this.core.link.broken(now, "violation");
      this.askPage(now, 1);
      return this.noteHead(now, head);
    }
    this.noteHead(now, head);
    this.watchGap(now);
    if (this.ahead.size === 0 && !this.sync) this.core.caughtUp();
  }

  /** What lies between the cursor and the head cannot be had as entries: go on from the head, read states anew. */
  private reset(head: number, logEpoch: number): void {
    const { core } = this;
    if (this.logEpoch !== logEpoch) {
      core.conversations.forgetCounts();
      core.groups?.forget();
    } else core.groups?.renew();
    this.position = { cursor: head, logEpoch };
    this.moved = true;
    this.told = 0;
    this.gapAt = undefined;
    const ahead = this.ahead;
    this.ahead = new Map();
    for (const slot of ahead.values()) if (typeof slot === "number") core.outbox.forgetSent(slot);
    core.conversations.forgetCovered();
    core.conversations.wantList();
    core.tell({ kind: "reset" });
  }

  ackAnswered(now: number, answer: proto.AckAnswer): void {
    if (answer.refusal) {
      if (!answer.refusal.retryable) this.core.link.sessionRefused(now, answer.refusal);
    } else if (answer.inboxCursor >= this.told) this.ackAgainAt = undefined;
  }

  private acknowledged(): void {
    this.told = this.cursor;
    this.ackNow = false;
    this.ackLazilyAt = undefined;
    this.ackAgainAt = undefined;
  }

  private acknowledge(now: number): void {
    this.acknowledged();
    this.ackAgainAt = now + ACK_AFTER_MS;
    this.core.write(now, Operation.ACK, proto.AckRequest, { id: this.core.link.nextId(), inboxCursor: this.told });
  }

  /** At the end of a burst: the row of the cursor, then the acknowledgement. */
  finish(now: number): void {
    if (this.moved && this.position) this.core.keep({ kind: "inbox", value: this.position });
    this.moved = false;
    if (this.ackNow && this.core.link.is("live")) {
      if (this.cursor > this.told) this.acknowledge(now);
      this.ackNow = false;
    }
  }

  timeout(now: number): void {
    if (!this.core.link.is("live")) return;
    const due = (at: number | undefined) => at !== undefined && at <= now;
    if (due(this.gapAt)) {
      this.gapAt = undefined;
      this.ask(now);
    }
    if (this.sync && due(this.sync.againAt)) {
      if (this.sync.tries >= SYNC_TRIES_MAX) return this.core.link.broken(now, "noAnswer");
      this.askPage(now, this.sync.tries + 1);
    }
    if (due(this.ackAgainAt) || (due(this.ackLazilyAt) && this.cursor > this.told)) this.acknowledge(now);
    if (due(this.ackLazilyAt)) this.ackLazilyAt = undefined;
  }
}

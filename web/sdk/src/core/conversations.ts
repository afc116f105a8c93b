/**
 * The conversation list: heads, unread, read marks, receipts. Marks and receipts never go down (PROTOCOL.md §9, §10).
 * What one conversation knows of itself is `known.ts`; here is the list, and what comes from the server about it.
 */

import { decode } from "../wire/codec";
import { Operation } from "../wire/command";
import * as proto from "../wire/proto";
import { isGroup, isVisitor, nameOf } from "./alias";
import type { Core } from "./core";
import { hides, Known, newestOf } from "./known";
import { gaps, insert } from "./ranges";
import { type Hidden, isHidden } from "./requests";
import type { ConversationRow } from "./rows";

/** A page of the list that was not answered, or refused for now, is asked for again after so long. */
const LIST_AFTER_MS = 10_000;
/** Conversations listed or asked about at once. */
const AT_ONCE_MAX = 100;
/** Newest conversations read again when a visitor begins to write: what is known of visitors comes with the list only. */
const TOP_MAX = 20;
/** A visitor who has been silent for so long may have come again (PROTOCOL.md §19). */
const VISIT_MS = 30 * 60_000;

const descending = (a: ConversationRow, b: ConversationRow) => newestOf(b) - newestOf(a) || b.conversation.activity - a.conversation.activity;

/** Of groups nobody tells receipts, and in what was said as a visitor nothing moves any more. */
const hasReceipts = ({ conversation }: ConversationRow) => !isGroup(conversation.user) && !conversation.asVisitor;

export class Conversations {
  private readonly known = new Map<string, Known>();
  /** Those that changed in this burst. */
  private dirty = new Set<Known>();
  private asked = false;
  /** When an unanswered page is asked for again. */
  againAt: number | undefined;
  /** The last name of the last question about lost receipts. */
  private receiptsAsked = "";
  private topWanted = false;
  /** When visitors were asked about, by the server's clock. */
  private readonly visitorsAsked = new Map<string, number>();

  constructor(
    private readonly core: Core,
    rows: ConversationRow[],
    /** The list is to be read below this activity; 0 = from the top. */
    private wanted: number | undefined,
  ) {
    for (const row of rows) this.known.set(nameOf(row.conversation), new Known(row));
  }

  /** Newest first. */
  rows(): ConversationRow[] {
    return [...this.known.values()].map((known) => known.row).sort(descending);
  }

  /** By its name as in `alias.ts`, as everywhere here. */
  row(user: string): ConversationRow | undefined {
    return this.known.get(user)?.row;
  }

  linkLost(): void {
    this.asked = false;
    this.againAt = undefined;
  }

  /** The conversation of this name, about to change. */
  change(user: string): Known {
    let known = this.known.get(user);
    if (!known) this.known.set(user, (known = Known.of(user)));
    this.dirty.add(known);
    return known;
  }

  noteMessage(user: string, inboxSeq: number, entry: proto.Entry): void {
    if (entry.own) this.markedWith(user, entry.seenSeq);
    const known = this.change(user);
    known.noteMessage(inboxSeq, entry);
    if (entry.own || !isVisitor(user)) return;
    const told = Math.max(known.row.conversation.visitor?.lastVisitMs ?? 0, this.visitorsAsked.get(user) ?? 0);
    if (entry.serverTimeMs - told <= VISIT_MS) return;
    this.visitorsAsked.set(user, entry.serverTimeMs);
    this.topWanted = true;
  }

  /** The mark moved with something that does not tell what remains. */
  private markedWith(user: string, seq: number): void {
    const known = this.change(user);
    if (known.mark(seq) && !known.countsItself()) this.core.reads.queue(user, seq);
  }

  /**
   * The answer to a mark. Its count is needed only where this device has none; a mark that was moved further on this
   * device since waits for an answer of its own.
   */
  unreadTold(user: string, { readSeq, unread, headSeq, inboxHead }: proto.MarkReadAnswer): void {
    const known = this.known.get(user);
    if (known && !known.countsItself() && known.row.conversation.readSeq <= readSeq) {
      this.change(user).believe({ inboxSeq: isGroup(user) ? headSeq : inboxHead, headSeq, readSeq, unread });
    }
  }

  /** Another row of the log changed; the entry that says so takes a place of its own. `mine` as in `rows.ts`. */
  applyChange(inboxSeq: number, user: string, seq: number, { target }: proto.Change, mine?: boolean): void {
    const known = this.change(user);
    known.noteSeq(inboxSeq, seq);
    if (!target) return;
    const isNews = known.noteRow(target);
    known.announced(seq);
    if (!isNews) return;
    const { conversation } = known.row;
    const { last } = conversation;
    // A page of the list that is under way may have been read before, and must not be the first to tell of this row.
    if (last ? target.seq >= last.seq : this.wanted !== undefined) conversation.last = target;
    this.core.keep({ kind: "message", user, entry: target, mine });
    this.core.tell({ kind: "changed", user, entry: target });
  }

  applyRead(inboxSeq: number, user: string, mark: proto.ReadMark): void {
    this.core.reads.confirm(user, mark.seq);
    // Where a group's log was when the mark moved, the inbox does not tell.
    if (isGroup(user)) return this.markedWith(user, mark.seq);
    const known = this.change(user);
    known.mark(mark.seq);
    const { conversation } = known.row;
    const counted = inboxSeq <= known.row.countedInboxSeq;
    conversation.activity = Math.max(conversation.activity, inboxSeq);
    // A mark that was moved further on this device since has a smaller rest.
    if (mark.seq >= conversation.readSeq && !counted) conversation.unread = mark.unread;
  }

  applyDeletion(inboxSeq: number, user: string, deletion: proto.Deletion): void {
    const { conversation } = this.change(user).row;
    const { upToSeq } = deletion;
    conversation.activity = Math.max(conversation.activity, inboxSeq);
    if (upToSeq > 0) conversation.lowSeq = Math.max(conversation.lowSeq, upToSeq + 1);
    const { last } = conversation;
    if (last && hides(deletion, last.seq)) delete conversation.last;
    this.core.requests.hideFromPages(user, deletion);
    this.core.keep({ kind: "deleted", user, deletion });
    this.core.tell({ kind: "deleted", user, deletion });
  }

  applyGone(inboxSeq: number, user: string, gone: proto.Gone): void {
    this.markedWith(user, gone.readSeq);
    this.change(user).noteSeq(inboxSeq, gone.seq);
    this.core.tell({ kind: "gone", user, seq: gone.seq });
  }

  /** The visitor turned out to be an account: of somebody this user talks with, or this user's own. */
  applyClaim(inboxSeq: number, user: string, { visitor, account }: proto.Claimed): void {
    if (user !== visitor) return this.wantList();
    const { conversation } = this.change(user).row;
    conversation.activity = Math.max(conversation.activity, inboxSeq);
    conversation.visitor = { ...(conversation.visitor ?? decode(proto.Visitor, new Uint8Array(0))), account };
  }

  setBlocked(user: string, blocked: boolean): void {
    this.change(user).row.conversation.blocked = blocked;
  }

  /** The user has read up to here on this device. */
  markHere(user: string, seq: number): boolean {
    return this.change(user).mark(seq);
  }

  noteReceipts(receipts: proto.Receipt[]): void {
    for (const { user, deliveredSeq, readSeq } of receipts) {
      const known = this.change(user);
      const { peerDeliveredSeq, peerReadSeq } = known.row.conversation;
      if (known.raiseReceipt(deliveredSeq, readSeq)) {
        this.core.tell({ kind: "receipt", user, deliveredBefore: peerDeliveredSeq, readBefore: peerReadSeq });
      }
    }
  }

  /** After connecting: what was delivered may have been read meanwhile, too. The newest conversations are asked about. */
  askMissedReceipts(now: number): void {
    const unread = this.rows().filter((row) => row.ownSeq > row.conversation.peerReadSeq && hasReceipts(row));
    this.requestReceipts(now, unread.slice(0, AT_ONCE_MAX));
  }

  /**
   * Now and then: RECEIPT.N may have been lost for messages that are shown as not delivered. Those who never come must
   * not keep the others from being asked about, so each time it goes on where the last time ended.
   */
  askLostReceipts(now: number): void {
    const last = this.receiptsAsked;
    const undelivered = this.rows().filter((row) => row.ownSeq > row.conversation.peerDeliveredSeq && hasReceipts(row));
    undelivered.sort((a, b) => (a.conversation.user < b.conversation.user ? -1 : 1));
    const beyond = undelivered.filter((row) => row.conversation.user > last);
    const upToLast = undelivered.filter((row) => row.conversation.user <= last);
    const rows = [...beyond, ...upToLast].slice(0, AT_ONCE_MAX);
    this.receiptsAsked = rows.at(-1)?.conversation.user ?? "";
    this.requestReceipts(now, rows);
  }

  private requestReceipts(now: number, rows: ConversationRow[]): void {
    const { core } = this;
    if (!core.link.is("live") || rows.length === 0) return;
    const id = core.link.nextId();
    core.pending.set(id, { kind: "receipts" });
    core.write(now, Operation.RECEIPTS, proto.ReceiptsRequest, { id, users: rows.map((row) => row.conversation.user) });
  }

  /** The list has to be read from its top. */
  wantList(): void {
    this.wanted = 0;
    this.asked = false;
    this.core.keep({ kind: "list", value: 0 });
  }

  pump(now: number): void {
    const { core } = this;
    if (!core.link.is("live")) return;
    if (this.topWanted && this.wanted === undefined) this.askTop(now);
    if (this.wanted === undefined || this.asked) return;
    // The list begins with its top.
    this.topWanted &&= this.wanted !== 0;
    this.asked = true;
    this.againAt = now + LIST_AFTER_MS + core.jitter.upTo(LIST_AFTER_MS / 4);
    const id = core.link.nextId();
    core.pending.set(id, { kind: "list", hidden: [] });
    core.write(now, Operation.CONVERSATIONS, proto.ConversationsRequest, { id, before: this.wanted, limit: AT_ONCE_MAX });
  }

  private askTop(now: number): void {
    this.topWanted = false;
    const id = this.core.link.nextId();
    this.core.pending.set(id, { kind: "top", hidden: [] });
    this.core.write(now, Operation.CONVERSATIONS, proto.ConversationsRequest, { id, before: 0, limit: TOP_MAX });
  }

  /** A refusal is no loss: the next message of a visitor who comes again asks anew. */
  topAnswered({ conversations }: proto.ConversationsAnswer, hidden: readonly Hidden[]): void {
    for (const told of conversations) this.merge(told, hidden);
  }

  /** `hidden` = what was deleted since the page was asked for. */
  private merge(told: proto.Conversation, hidden: readonly Hidden[]): void {
    const name = nameOf(told);
    if (told.last && isHidden(hidden, name, told.last.seq)) delete told.last;
    this.change(name).merge(told);
    this.noteReceipts([{ user: name, deliveredSeq: told.peerDeliveredSeq, readSeq: told.peerReadSeq }]);
  }

  timeout(now: number): void {
    if (this.againAt === undefined || this.againAt > now) return;
    this.againAt = undefined;
    this.asked = false;
  }

  /**
   * A page of the list. The timer repeats it after a refusal, unless that was for good: then it is asked for again on
   * the next connection.
   */
  listAnswered({ refusal, conversations, more }: proto.ConversationsAnswer, hidden: readonly Hidden[]): void {
    if (!refusal || !refusal.retryable) this.againAt = undefined;
    if (refusal) return;
    for (const told of conversations) this.merge(told, hidden);
    this.asked = false;
    this.wanted = more ? conversations.at(-1)?.activity : undefined;
    this.core.keep({ kind: "list", value: this.wanted });
  }

  /** What was kept may have changed unseen: histories are asked for anew. */
  forgetCovered(): void {
    for (const user of this.known.keys()) this.change(user).row.covered = [];
  }

  /** The log of another life of the server: what was counted may never have happened, and the list must be believed. */
  forgetCounts(): void {
    for (const known of this.known.values()) known.forgetCounts();
  }

  /**
   * A page of a conversation's log that the application asked for. What it covers and does not have does not exist
   * (PROTOCOL.md §9): after a RESET, what was deleted meanwhile is learned in no other way. Nothing that was pushed since
   * is lost by it: a page covers the log up to the head that it was read at, and what came later has higher seqs.
   */
  keepHistory(user: string, answer: proto.HistoryAnswer): void {
    const known = this.change(user);
    const { row } = known;
    for (const entry of answer.entries) known.noteRow(entry);
    row.conversation.lowSeq = Math.max(row.conversation.lowSeq, answer.lowSeq);
    insert(row.covered, answer.coveredFrom, answer.coveredTo);
    const messages = answer.entries.filter((entry) => !entry.change);
    const seqs = messages.map(({ seq }) => seq);
    for (const gap of gaps(answer.coveredFrom, answer.coveredTo, seqs)) this.core.keep({ kind: "absent", user, ...gap });
    for (const entry of messages) this.core.keep({ kind: "message", user, entry });
  }

  /** At the end of a burst: the rows and events of what changed. */
  finish(): void {
    for (const { row } of this.dirty) {
      const copy = { ...row, conversation: { ...row.conversation }, covered: row.covered.map((range) => ({ ...range })) };
      this.core.keep({ kind: "conversation", row: copy });
      this.core.tell({ kind: "conversation", row: copy });
    }
    this.dirty.clear();
  }
}

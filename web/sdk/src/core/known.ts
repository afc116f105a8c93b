/**
 * What is known of one conversation, and how unread is counted.
 *
 * Unread is what the server said, carried on: entries of the inbox that the server has counted already are not counted
 * again, and the server's word in a read mark's entry is exact at that place of the inbox. Where a mark leaves a rest
 * that neither this device can count nor an entry tells, the server is asked.
 */

import { decode } from "../wire/codec";
import * as proto from "../wire/proto";
import { partsOf } from "./alias";
import { insert } from "./ranges";
import type { ConversationRow } from "./rows";

/** Unread messages remembered one by one; a mark below them waits for the server's count. */
const RECENT_UNREAD_MAX = 1024;

/** Rows remembered whose change has not been announced yet; more than a server says at once. */
const EARLY_MAX = 1024;

/** What the server has counted. */
export interface Count {
  /** Everything in the inbox up to here, of which the newest message is `headSeq`. */
  inboxSeq: number;
  headSeq: number;
  /** The mark that it was counted from. */
  readSeq: number;
  unread: number;
}

/** What a list says of a conversation. */
export type Merged = Pick<proto.Conversation, "activity" | "headSeq" | "lowSeq" | "unread" | "readSeq" | "last" | "visitor"> & { blocked?: boolean };

/** Whether a deletion hides the row of this seq. */
export const hides = ({ upToSeq, seqs }: proto.Deletion, seq: number): boolean => seq <= upToSeq || seqs.includes(seq);

/** When something was last said: the order of the list. */
export const newestOf = ({ newestMs, conversation }: ConversationRow): number => newestMs ?? conversation.last?.serverTimeMs ?? 0;

export class Known {
  /** All unread seqs above `recentFrom`, ascending. */
  private recentUnread: number[] = [];
  private recentFrom: number;
  /** Rows that are known as of a change whose entry has not come yet: a page tells rows as they are, a push as they were. */
  private readonly early = new Map<number, number>();

  constructor(readonly row: ConversationRow) {
    this.recentFrom = row.conversation.headSeq;
  }

  /** `name` as in `alias.ts`. */
  static of(name: string): Known {
    const conversation = { ...decode(proto.Conversation, new Uint8Array(0)), ...partsOf(name) };
    return new Known({ conversation, countedInboxSeq: 0, ownSeq: 0, covered: [] });
  }

  noteMessage(inboxSeq: number, entry: proto.Entry): void {
    const { row } = this;
    const { conversation } = row;
    const countable = !entry.own && !entry.uncounted && !entry.event;
    if (countable && inboxSeq > row.countedInboxSeq && entry.seq > conversation.readSeq) {
      conversation.unread += 1;
      this.recentUnread.push(entry.seq);
      if (this.recentUnread.length > RECENT_UNREAD_MAX) this.recentFrom = this.recentUnread.shift()!;
    }
    if (entry.own) row.ownSeq = Math.max(row.ownSeq, entry.seq);
    this.noteSeq(inboxSeq, entry.seq);
    this.noteRow(entry);
    if (!conversation.last || conversation.last.seq <= entry.seq) this.last(entry);
  }

  private last(entry: proto.Entry): void {
    const { row } = this;
    row.newestMs = Math.max(newestOf(row), entry.serverTimeMs);
    row.conversation.last = entry;
  }

  /** A place of the log is known now, whatever it holds. */
  noteSeq(inboxSeq: number, seq: number): void {
    const { conversation, covered } = this.row;
    conversation.activity = Math.max(conversation.activity, inboxSeq);
    conversation.headSeq = Math.max(conversation.headSeq, seq);
    insert(covered, seq, seq);
  }

  /** A row of the log as it is told; false if a newer state of it is known. */
  noteRow({ seq, changedSeq }: proto.Entry): boolean {
    const known = this.early.get(seq) ?? 0;
    if (changedSeq > known) {
      this.early.set(seq, changedSeq);
      if (this.early.size > EARLY_MAX) this.early.delete(this.early.keys().next().value!);
    }
    return changedSeq >= known;
  }

  /** The entry of a change has come: nothing older than its row comes any more. */
  announced(seq: number): void {
    for (const [row, changedSeq] of this.early) if (changedSeq <= seq) this.early.delete(row);
  }

  /** Moves the read mark; false if it was there or further already. */
  mark(seq: number): boolean {
    const { conversation } = this.row;
    if (seq <= conversation.readSeq) return false;
    conversation.readSeq = seq;
    this.recentUnread = this.recentUnread.filter((unread) => unread > seq);
    if (seq >= conversation.headSeq) conversation.unread = 0;
    else if (seq >= this.recentFrom) conversation.unread = this.recentUnread.length;
    return true;
  }

  /** What lies above the mark is known one by one, or is nothing. */
  countsItself(): boolean {
    const { unread, readSeq } = this.row.conversation;
    return unread === 0 || readSeq >= this.recentFrom;
  }

  /** Goes on from what the server has counted, unless it is older than what is known. */
  believe(told: Count): void {
    const { row } = this;
    const { conversation } = row;
    if (told.inboxSeq >= conversation.activity) {
      conversation.unread = conversation.readSeq >= told.headSeq ? 0 : told.unread;
      row.countedInboxSeq = Math.max(row.countedInboxSeq, told.inboxSeq);
      this.recentUnread = [];
      this.recentFrom = told.headSeq;
    } else if (row.countedInboxSeq < told.inboxSeq && this.recentFrom <= told.headSeq && conversation.readSeq <= told.readSeq) {
      // Pushes have overtaken the count: they are known one by one, what lies below them only the server knows.
      this.recentUnread = this.recentUnread.filter((unread) => unread > told.headSeq);
      this.recentFrom = told.headSeq;
      conversation.unread = told.unread + this.recentUnread.length;
      row.countedInboxSeq = told.inboxSeq;
    }
    conversation.headSeq = Math.max(conversation.headSeq, told.headSeq);
    conversation.readSeq = Math.max(conversation.readSeq, told.readSeq);
  }

  raiseReceipt(deliveredSeq: number, readSeq: number): boolean {
    const { conversation } = this.row;
    const { peerDeliveredSeq, peerReadSeq } = conversation;
    conversation.peerReadSeq = Math.max(peerReadSeq, readSeq);
    // What was read was delivered.
    conversation.peerDeliveredSeq = Math.max(peerDeliveredSeq, deliveredSeq, readSeq);
    return peerDeliveredSeq !== conversation.peerDeliveredSeq || peerReadSeq !== conversation.peerReadSeq;
  }

  forgetCounts(): void {
    this.row.conversation.activity = 0;
    this.row.countedInboxSeq = 0;
    this.recentUnread = [];
    this.recentFrom = 0;
    // After a restored backup the same numbers may mean other changes.
    this.early.clear();
  }

  /** Takes over what the server's list says. */
  merge(told: Merged): void {
    const { row } = this;
    const { conversation } = row;
    if (told.last?.own) row.ownSeq = Math.max(row.ownSeq, told.last.seq);
    this.believe({ ...told, inboxSeq: told.activity });
    if (this.isNews(told)) {
      if (told.last) this.last(told.last);
      else delete conversation.last;
    }
    conversation.activity = Math.max(conversation.activity, told.activity);
    conversation.lowSeq = Math.max(conversation.lowSeq, told.lowSeq);
    conversation.blocked = !!told.blocked;
    if (told.visitor) conversation.visitor = told.visitor;
  }

  /** Whether the list's last message, or that there is none, is newer than what is known. */
  private isNews({ activity, last }: Merged): boolean {
    const known = this.row.conversation;
    if (last && last.seq === known.last?.seq) return last.changedSeq >= known.last.changedSeq;
    return activity >= known.activity || (!!last && last.seq > (known.last?.seq ?? 0));
  }
}

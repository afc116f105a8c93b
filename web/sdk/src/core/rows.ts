/** What outlives a core: the rows that a store keeps and gives back. How they are kept is not said here. */

import type { Conversation, Deletion, Entry, Group, Refusal, SendRequest } from "../wire/proto";
import type { Range } from "./ranges";

/** A session that can be resumed. */
export interface Session {
  user: string;
  /** Presented at resume. */
  ticket: Uint8Array;
  /** The proof of identity; never sent. */
  secret: Uint8Array;
  /** The highest epoch ever tried. */
  epoch: number;
}

/** A place in the user's inbox: every entry up to `cursor` was applied, in this life of the server's store. */
export interface InboxPosition {
  cursor: number;
  logEpoch: number;
}

/** What of a message's state outlives a restart. */
export type OutboxState =
  /** To be sent, perhaps again. */
  | { kind: "queued" }
  /** The server has it, but its inbox entry (in a group: its place in the log) lies above a gap; kept until the cursor has passed it. */
  | { kind: "stored"; inboxSeq: number }
  /** Given up until the user acts. */
  | { kind: "failed"; refusal?: Refusal | undefined };

/** A message on its way out. */
export interface OutboxRow {
  /** Ascending in the order of writing. */
  local: number;
  /** By this device's clock, in milliseconds since 1970; for display only. */
  writtenMs: number;
  request: SendRequest;
  state: OutboxState;
}

/** A conversation as the list shows it, and what this device knows of its log. */
export interface ConversationRow {
  conversation: Conversation;
  /** `unread` already includes the inbox up to here, because the server counted it. */
  countedInboxSeq: number;
  /** The highest seq of the user's own messages. */
  ownSeq: number;
  /** What the store holds completely. */
  covered: Range[];
  /** The time of the newest message ever seen in it: the order of the list. */
  newestMs?: number;
  /** Of a group: what the server has told of it, without its last message. */
  group?: Group;
  /** Of a group: every entry of its log up to here was applied. */
  cursor?: number | undefined;
  /** Of a group: rows up to here have changed since, in a way that is not known yet. */
  changedSince?: number | undefined;
}

/** One change of what is kept. All rows of one output are one transaction. */
export type Row =
  | OneRow
  | { kind: "outbox"; row: OutboxRow }
  | { kind: "outboxDone"; local: number }
  /**
   * Inserts a message, or replaces it unless what is kept has a higher `changedSeq`. `mine`: this user has changed it, or somebody
   * else, and the whole group was told the same, so that which reactions are one's own is not said.
   */
  | { kind: "message"; user: string; entry: Entry; mine?: boolean | undefined }
  | { kind: "deleted"; user: string; deletion: Deletion }
  /** No message with `from <= seq <= to` exists: whoever deleted them did so unseen. */
  | { kind: "absent"; user: string; from: number; to: number }
  | { kind: "conversation"; row: ConversationRow }
  /** A read mark the server has not confirmed; 0 = it has. */
  | { kind: "read"; user: string; seq: number };

/** Of what there is only one: its kind is its key. */
export type OneRow = { [K in keyof Ones]-?: { kind: K; value: Ones[K] } }[keyof Ones];

interface Ones {
  /** Chosen once per database. */
  device?: Uint8Array | undefined;
  /** Whose rows these are. */
  user?: string | undefined;
  session?: Session | undefined;
  /** By which the server knows a visitor again. */
  mark?: string | undefined;
  inbox?: InboxPosition | undefined;
  /** The conversation list has to be read below this activity; absent = it was read. */
  list?: number | undefined;
  /** All groups are known as of this token. */
  groups?: number | undefined;
}

/** Kinds of `OneRow`. */
export const ONES = ["device", "user", "session", "mark", "inbox", "list", "groups"] as const;

export const isOne = (row: Row): row is OneRow => (ONES as readonly string[]).includes(row.kind);

/** What a store gives back at start; everything in any order. */
export interface Restored extends Ones {
  outbox: OutboxRow[];
  conversations: ConversationRow[];
  reads: Map<string, number>;
}

export const nothing = (): Restored => ({ outbox: [], conversations: [], reads: new Map() });

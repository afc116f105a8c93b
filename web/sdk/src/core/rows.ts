/** What outlives a core: the rows that a store keeps and gives back. How they are kept is not said here. */

import type { Conversation, Deletion, Entry, Refusal, SendRequest } from "../wire/proto";
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
  /** The server has it, but its inbox entry lies above a gap; kept until the cursor has passed it. */
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
}

/** One change of what is kept. All rows of one output are one transaction. */
export type Row =
  /** Chosen once per database. */
  | { kind: "device"; id: Uint8Array }
  /** Whose rows these are. */
  | { kind: "user"; user: string }
  | { kind: "session"; session: Session | undefined }
  /** By which the server knows a visitor again. */
  | { kind: "mark"; mark: string }
  | { kind: "inbox"; position: InboxPosition }
  | { kind: "outbox"; row: OutboxRow }
  | { kind: "outboxDone"; local: number }
  /** Inserts a message, or replaces it unless what is kept has a higher `changedSeq`. */
  | { kind: "message"; user: string; entry: Entry }
  | { kind: "deleted"; user: string; deletion: Deletion }
  /** No message with `from <= seq <= to` exists: whoever deleted them did so unseen. */
  | { kind: "absent"; user: string; from: number; to: number }
  | { kind: "conversation"; row: ConversationRow }
  /** A read mark the server has not confirmed; 0 = it has. */
  | { kind: "read"; user: string; seq: number }
  /** The conversation list has to be read below this activity; absent = it was read. */
  | { kind: "list"; before: number | undefined };

/** What a store gives back at start; everything in any order. */
export interface Restored {
  device?: Uint8Array | undefined;
  user?: string | undefined;
  session?: Session | undefined;
  mark?: string | undefined;
  inbox?: InboxPosition | undefined;
  outbox: OutboxRow[];
  conversations: ConversationRow[];
  reads: Map<string, number>;
  list?: number | undefined;
}

export const nothing = (): Restored => ({ outbox: [], conversations: [], reads: new Map() });

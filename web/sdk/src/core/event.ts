/** What a core tells the shell, and what the shell may ask for. */

import type { StopReason } from "../api";
import type * as proto from "../wire/proto";
import type { ConversationRow, OutboxRow } from "./rows";
import type { Told } from "./visit";

/** Where the link stands, finer than applications see it. */
export type Phase =
  | { state: "idle" }
  /** The shell was asked to dial. */
  | { state: "connecting" }
  | { state: "resuming" }
  /** The credential is being checked. */
  | { state: "authing" }
  | { state: "live" }
  /** Tried again by itself after `retryInMs`. */
  | { state: "broken"; retryInMs: number; reason: BreakReason; refusal?: proto.Refusal | undefined }
  /** Nothing happens until `start` is called again. */
  | { state: "stopped"; reason: Stopped };

export type BreakReason = "disconnected" | "connectTimeout" | "violation" | "refused" | "noAnswer" | "silent" | "goaway" | "moved";

export type Stopped =
  | StopReason
  /** The credential belongs to another user than the kept messages. */
  | { kind: "otherUser"; user: string };

/** Why a request was not done, or is not known to be done. */
export type RequestError = { refusal: proto.Refusal } | "offline" | "noAnswer";

export type Event =
  | { kind: "link"; phase: Phase }
  /** `resumed`: an earlier session goes on. */
  | { kind: "signedIn"; user: string; resumed: boolean }
  /** From somebody else, or this user's own from another device. */
  | { kind: "message"; user: string; entry: proto.Entry }
  /** After an edit, recall or reaction. */
  | { kind: "changed"; user: string; entry: proto.Entry }
  /** No longer kept. */
  | { kind: "gone"; user: string; seq: number }
  /** One of this device's own messages moved on; `entry` if the server has it. */
  | { kind: "outgoing"; row: OutboxRow; entry?: proto.Entry }
  /** The other person's receipts rose, from these seqs. */
  | { kind: "receipt"; user: string; deliveredBefore: number; readBefore: number }
  | { kind: "deleted"; user: string; deletion: proto.Deletion }
  /** At most once per burst. */
  | { kind: "conversation"; row: ConversationRow }
  /** `sender`: who types, in a group. */
  | { kind: "typing"; user: string; stopped: boolean; sender: string }
  /** Something has happened in a room where this session is, was, or wants to be under this name. */
  | { kind: "room"; room: string; name: string; told: Told }
  | { kind: "caughtUp" }
  | { kind: "reset" }
  | { kind: "answered"; token: number; result: { answer: unknown } | { error: RequestError } };

/** What the shell must do with the connection. */
export type Effect = "connect" | "disconnect";

/** What the shell may ask of the server; ids are filled in by the core. */
export type Request =
  /** `user` as in `alias.ts`. */
  | { kind: "history"; user: string; beforeSeq?: number; limit: number }
  | { kind: "recall"; user: string; seq: number; clientRequestId: Uint8Array }
  | { kind: "edit"; user: string; seq: number; clientRequestId: Uint8Array; body: Uint8Array }
  | { kind: "react"; user: string; seq: number; clientRequestId: Uint8Array; name: string; remove: boolean }
  | { kind: "delete"; user: string; deletion: proto.Deletion }
  | { kind: "block"; user: string; blocked: boolean }
  | { kind: "claim"; mark: string }
  /** What other modules know to write and read: the body of a request, without its id; the answer is bytes, too. */
  | { kind: "plain"; operation: number; body: Uint8Array }
  | { kind: "logout" };

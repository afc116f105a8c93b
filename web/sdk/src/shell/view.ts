/** Rows of the core as applications see them: the one place where wire types become those of `api.ts`. */

import type { Conversation, Group, GroupEvent, Link, Message, RoomMessage, RoomNews, SendState, Visitor } from "../api";
import { about, isGroup } from "../core/alias";
import type { Phase } from "../core/event";
import { newestOf } from "../core/known";
import { refusalOf } from "../core/refusal";
import type { ConversationRow, OutboxRow } from "../core/rows";
import type { Told } from "../core/visit";
import * as proto from "../wire/proto";

const TYPES = ["text", "image", "file", "voice", "location", "card"] as const;
const lenient = new TextDecoder();

/** Of an own message that the server has. */
function stateOf(seq: number, row: ConversationRow | undefined): SendState {
  if (!row) return "sent";
  const { peerReadSeq, peerDeliveredSeq } = row.conversation;
  return seq <= peerReadSeq ? "read" : seq <= peerDeliveredSeq ? "delivered" : "sent";
}

export function messageOf(me: string, user: string, entry: proto.Entry, row: ConversationRow | undefined): Message {
  const { seq, own, type, body, text, serverTimeMs, replyTo, edited, recalled, sender, mentions, mentionAll, event } = entry;
  return {
    user,
    seq,
    own,
    ...(sender && { sender, mentions, mentionAll }),
    ...(event && { event: event as GroupEvent }),
    type: TYPES[type] ?? "custom",
    text: type === proto.BodyType.TEXT ? lenient.decode(body) : text,
    body,
    time: serverTimeMs,
    ...(replyTo ? { replyTo } : {}),
    edited,
    recalled,
    reactions: entry.reactions.map(({ name, count, own, users }) => ({
      emoji: name,
      count,
      // A direct conversation has two people: what is not one's own is the other's.
      users: [...(own ? [me] : []), ...(sender ? users.filter((other) => other !== me) : count > (own ? 1 : 0) ? [user] : [])],
    })),
    ...(own ? { state: stateOf(seq, row) } : {}),
  };
}

export function pendingOf({ local, writtenMs, request, state }: OutboxRow): Message {
  const { type, body, text, replyTo, mentions, mentionAll } = request;
  const user = about(request);
  return {
    user,
    local,
    own: true,
    ...(isGroup(user) && { mentions, mentionAll }),
    type: TYPES[type] ?? "custom",
    text: type === proto.BodyType.TEXT ? lenient.decode(body) : text,
    body,
    time: writtenMs,
    ...(replyTo ? { replyTo } : {}),
    edited: false,
    recalled: false,
    reactions: [],
    state: state.kind === "failed" ? "failed" : "sending",
    ...(state.kind === "failed" && state.refusal ? { refusal: refusalOf(state.refusal) } : {}),
  };
}

export function conversationOf(me: string, row: ConversationRow): Conversation {
  const { user, last, unread, readSeq, headSeq, peerDeliveredSeq, peerReadSeq, blocked, visitor, asVisitor } = row.conversation;
  return {
    user,
    activity: newestOf(row),
    ...(last ? { last: messageOf(me, user, last, row) } : {}),
    unread: asVisitor ? 0 : unread,
    readSeq,
    headSeq,
    deliveredSeq: peerDeliveredSeq,
    theirReadSeq: peerReadSeq,
    blocked,
    ...(visitor ? { visitor: visitorOf(visitor) } : {}),
    ...(asVisitor ? { asVisitor } : {}),
    readOnly: isReadOnly(row),
    ...(row.group ? { group: groupOf(row.group, readSeq) } : {}),
  };
}

const ROLES = ["member", "admin", "owner"] as const;
const JOINING = ["invited", "asked", "open"] as const;
const HISTORY = ["joining", "everything"] as const;

function groupOf({ profile, role, join, history, ...group }: proto.Group, readSeq: number): Group {
  return {
    ...{ title: "", intro: "", avatar: "" },
    ...profile,
    ...group,
    role: ROLES[role] ?? "member",
    join: JOINING[join] ?? "invited",
    history: HISTORY[history] ?? "joining",
    mentionSeq: group.mentionSeq > readSeq ? group.mentionSeq : 0,
  };
}

function visitorOf({ visits, firstVisitMs, lastVisitMs, page, referrer, account }: proto.Visitor): Visitor {
  return { visits, firstVisit: firstVisitMs, lastVisit: lastVisitMs, page, referrer, ...(account ? { account } : {}) };
}

/** What was said as, or with, a visitor who turned out to be an account; a group that has ended, or ended for this user. */
export const isReadOnly = ({ conversation, group }: ConversationRow): boolean =>
  !!(conversation.asVisitor || conversation.visitor?.account || group?.left || group?.dissolved);

export function roomMessageOf({ seq, from, own, body, serverTimeMs }: proto.Entry): RoomMessage {
  return { seq, from, own, text: lenient.decode(body), time: serverTimeMs };
}

export function newsOf(room: string, name: string, told: Told): RoomNews {
  const about = { room, name };
  switch (told.kind) {
    case "out":
      return { ...about, state: { state: "out", ...(told.refusal ? { refusal: refusalOf(told.refusal) } : {}) }, names: [] };
    case "entering":
      return { ...about, state: { state: "entering" } };
    case "in":
      return { ...about, state: { state: "in" }, names: told.names, charactersMax: told.charactersMax, seq: told.seq };
    case "names":
      return { ...about, names: told.names };
    case "entries":
      return { ...about, entries: told.entries.map(roomMessageOf) };
    case "reset":
      return { ...about, reset: true, seq: told.seq };
  }
}

/** Whether there is anything to show of it: a read mark or a block alone makes no conversation. */
export const isShown = ({ conversation }: ConversationRow) => conversation.activity > 0 || conversation.headSeq > 0;

export function linkOf(phase: Phase, transport: "websocket" | "poll" | undefined, clock: number): Link {
  switch (phase.state) {
    case "idle":
      return { state: "idle" };
    case "live":
      return { state: "live", ...(transport ? { transport } : {}) };
    case "broken":
      return { state: "broken", retryAt: clock + phase.retryInMs };
    case "stopped":
      return { state: "stopped", reason: phase.reason.kind === "otherUser" ? { kind: "signed-out" } : phase.reason };
    default:
      return { state: "connecting" };
  }
}

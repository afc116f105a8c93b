/**
 * What an application sees of the SDK: types only. The state machine behind it is in `core/`, the parts of a browser
 * (sockets, storage, tabs) in `shell/`.
 *
 * Every tab of a site that creates a `Client` for the same app and user shares one connection and one cache; which tab
 * holds the connection is not visible here.
 */

/** Where the link stands. `stopped` needs the user: sign in again. */
export type LinkState = "idle" | "connecting" | "live" | "broken" | "stopped";

export interface Link {
  state: LinkState;
  /** Of a live link. */
  transport?: "websocket" | "poll";
  /** Of a broken link: when the next attempt begins, in milliseconds since 1970. */
  retryAt?: number;
  /** Of a stopped link. */
  reason?: StopReason;
}

/** Why the link has stopped for good. */
export type StopReason =
  | { kind: "signed-out" }
  | { kind: "kicked"; byTerm: string; at: number }
  | { kind: "revoked" }
  | { kind: "refused"; refusal: Refusal }
  | { kind: "unsupported" };

export interface Refusal {
  /** As in PROTOCOL.md §15, in lower case: `not_found`, `try_later` … */
  code: string;
  text: string;
  retryable: boolean;
  retryAfterMs: number;
}

export type Credential = { user: string; password: string } | { token: string } | { visitor: Arrival };

/** Somebody without an account comes to a site. Of both addresses only origin and path are told, and at most 512 bytes. */
export interface Arrival {
  page: string;
  referrer: string;
  /** Default: the one that this browser keeps from an earlier visit; without any, this is a new visitor. */
  mark?: string;
}

/** What the one who talks with a visitor may know of them. Times in milliseconds since 1970. */
export interface Visitor {
  visits: number;
  firstVisit: number;
  lastVisit: number;
  /** Of the latest visit, as the visitor's browser told it. */
  page: string;
  referrer: string;
  /** The account that the visitor turned out to be: the conversation goes on there. */
  account?: string;
}

/** Where an own message stands (PROTOCOL.md §10). */
export type SendState = "sending" | "sent" | "delivered" | "read" | "failed";

export interface Reaction {
  emoji: string;
  /** How many have given it. */
  count: number;
  /** Of a group this user, if among them, and the last others, at most 10. */
  users: string[];
}

/** What has happened to a group, as one of these; who did it is the message's `sender`. */
export type GroupEvent =
  /** With this title. */
  | { created: string }
  /** By invitation or admission, or by themselves. */
  | { joined: { users: string[] } }
  /** Were sent away; a single one who is the sender has left. */
  | { left: { users: string[] } }
  | { owner: string }
  | { admin: string }
  /** No admin any more. */
  | { member: string }
  /** `untilMs` 0: speaks again. */
  | { silence: { user: string; untilMs: number } }
  | { mutedAll: boolean }
  | { title: string }
  | { announcement: string }
  | { pinned: number }
  | { unpinned: number }
  | { dissolved: boolean };

export type GroupRole = "member" | "admin" | "owner";

/** How people come in who are not invited. */
export type GroupJoining = "invited" | "asked" | "open";

/** From where on new members see what was said. */
export type GroupHistory = "joining" | "everything";

/** What this user knows of a group. What can be done with it is in `@hongyan/sdk/groups`. */
export interface Group {
  /** Its id; `#` before it makes the conversation's name. */
  group: string;
  title: string;
  intro: string;
  /** Where its picture is. */
  avatar: string;
  announcement: string;
  owner: string;
  join: GroupJoining;
  history: GroupHistory;
  /** Members may invite, too. */
  membersInvite: boolean;
  /** Nobody but owner and admins speaks. */
  mutedAll: boolean;
  /** Seqs, ascending. */
  pinned: number[];
  memberCount: number;
  /** Rises with every change of what stands above. */
  profileVersion: number;
  /** Rises with every change of the list of members. */
  memberListVersion: number;
  /** This user's. */
  role: GroupRole;
  nickname: string;
  /** Until then this user may not speak, in milliseconds since 1970; 0 = may. */
  mutedUntilMs: number;
  /** The newest unread message that mentions this user, 0 = none. */
  mentionSeq: number;
  /** This user is no member any more. */
  left: boolean;
  dissolved: boolean;
  /** Who asks to join; only for those who admit. */
  asking: { user: string; text: string; timeMs: number }[];
}

export interface Message {
  /** The conversation: the other person, or `#` and the id of a group. No person's name has a `#`. */
  user: string;
  /** Place in the conversation; absent until the server has it. */
  seq?: number;
  /** Of an own message of this device that the server has not confirmed; the event by which it is confirmed has `seq`, too. */
  local?: number;
  own: boolean;
  /** In groups: who wrote it, once the server has it. */
  sender?: string;
  /** In groups: who is spoken to. */
  mentions?: string[];
  mentionAll?: boolean;
  /** In groups: this is no message, but tells what has happened. */
  event?: GroupEvent;
  type: "text" | "image" | "file" | "voice" | "location" | "card" | "custom";
  /** Of `text`; other types have `body`. */
  text: string;
  body: Uint8Array;
  /** By the server's clock, or this device's until then; milliseconds since 1970. */
  time: number;
  replyTo?: number;
  edited: boolean;
  recalled: boolean;
  reactions: Reaction[];
  /** Of own messages, as of now; later, `deliveredSeq` and `theirReadSeq` of the conversation say more. */
  state?: SendState;
  /** Of a failed message. */
  refusal?: Refusal;
}

export interface Conversation {
  /** As in `Message`. */
  user: string;
  /** When something was said last, in milliseconds since 1970; the list is in descending order of it. */
  activity: number;
  last?: Message;
  unread: number;
  /** Everything up to here is read by this user. */
  readSeq: number;
  /** The newest seq. */
  headSeq: number;
  /** How far the other person is in what this user wrote. */
  deliveredSeq: number;
  theirReadSeq: number;
  blocked: boolean;
  /** If the other person is a visitor; absent until it is known. */
  visitor?: Visitor;
  /** This user had this conversation with `user` as a visitor of this name; `history` takes it. */
  asVisitor?: string;
  /** A claimed visitor's conversation, or a group that this user has left: nothing can be sent there any more. */
  readOnly: boolean;
  /** If it is a group. */
  group?: Group;
}

/** A page of a conversation, ascending. What is not in it between `from` and `to` does not exist. */
export interface Page {
  messages: Message[];
  from: number;
  to: number;
  /** Nothing exists below this seq; the page with `from <= low` is the first. */
  low: number;
}

/** Something that was said in a room. */
export interface RoomMessage {
  seq: number;
  /** The name under which it was said. Names are free for others when somebody has left. */
  from: string;
  own: boolean;
  text: string;
  /** By the server's clock, in milliseconds since 1970. */
  time: number;
}

/** A page of a room's log, ascending. */
export interface RoomPage {
  messages: RoomMessage[];
  /** Nothing of the page or above it lies below this seq: the page before is `{ before: from }`. */
  from: number;
  /** Nothing exists below this seq; the page with `from <= low` is the first. */
  low: number;
}

/** `entering` also after a connection was lost, until another one stands. */
export interface RoomState {
  state: "out" | "entering" | "in";
  /** Why it is out, if that was not the user's wish. */
  refusal?: Refusal;
}

export interface RoomEvents {
  state: RoomState;
  /** Everybody who is there, by name. */
  names: string[];
  /** What was said since this was entered: each message once and in order, one's own, too. */
  entries: RoomMessage[];
  /** Much was skipped, or the room's log is another one: ask for `history` again. */
  reset: undefined;
}

/**
 * A room. The session is in it, with all its tabs and under one name. Nothing is kept on this device. A session without
 * a connection is out after 30 s, unless it comes back before.
 */
export interface Room {
  readonly room: string;
  readonly name: string;
  readonly state: RoomState;
  readonly names: readonly string[];
  /** The longest text that may be said, in characters (code points); 0 until it was entered. */
  readonly charactersMax: number;
  /** Resolves when in; rejects with a `Refusal` (`conflict`: the name is taken, `not_found`: no such room) or `"offline"`. */
  enter(): Promise<void>;
  /** Resolves when the server has it, however many connections that takes; rejects with a `Refusal` or `"offline"`. */
  say(text: string): Promise<{ seq: number; time: number }>;
  /** The newest page up to what was told in `entries`, or the one before `before`. */
  history(options?: { before?: number; limit?: number }): Promise<RoomPage>;
  leave(): Promise<void>;
  on<K extends keyof RoomEvents>(event: K, handler: (value: RoomEvents[K]) => void): () => void;
}

/** What the leading tab tells of a room; applications use the events of `Room`. */
export interface RoomNews {
  room: string;
  name: string;
  state?: RoomState;
  names?: string[];
  charactersMax?: number;
  entries?: RoomMessage[];
  /** Everything up to here was told before. */
  seq?: number;
  reset?: boolean;
}

export interface Events {
  link: Link;
  /** A session is open. */
  signedIn: { user: string };
  /** A conversation is new or has changed. */
  conversation: Conversation;
  /** A message is new or has changed: from others, from this user's other devices and tabs, and own ones moving on. */
  message: Message;
  /** A message was deleted for oneself, discarded, or is no longer kept. */
  gone: { user: string; seq?: number; local?: number };
  /** `sender`: who, in a group. */
  typing: { user: string; stopped: boolean; sender?: string };
  /** What lies between was skipped, or much was deleted, or another user has signed in; ask for `conversations` and `history` again. */
  reset: undefined;
  /** Everything that waited at the server has arrived. */
  caughtUp: undefined;
  /** Of all rooms; those of one are told by its `Room`. */
  room: RoomNews;
  /** A message to make a sound or a notification for: in exactly one tab, and only if nobody looks at its conversation. */
  notify: Message;
}

export interface Options {
  /** Origin of the server, such as `https://im.example.com`; default: the page's own. */
  server?: string;
  app: string;
  /** Name and version of the application, told to the server; at most 64 bytes. */
  client?: string;
  /** For `signIn({ visitor })`: what is kept for a visitor is kept apart from what is kept for an account of the same app. */
  visitor?: boolean;
  /** Sets apart what is kept and who is signed in, for several people in one browser. */
  profile?: string;
  /** `poll`: never a WebSocket, not even to try. */
  transport?: "poll";
}

export interface SendOptions {
  replyTo?: number;
  /** In groups: who is spoken to, at most 50. */
  mentions?: string[];
  /** In groups: everybody is spoken to; only owner and admins may. */
  mentionAll?: boolean;
}

/** `user` is everywhere the conversation, as in `Message`. */
export interface Client {
  readonly link: Link;
  /** The signed-in user, also while offline. */
  readonly user: string | undefined;
  /** Continues the session of an earlier visit; false if there is none. */
  start(): Promise<boolean>;
  /**
   * Resolves when signed in; rejects with a `Refusal` or `"offline"`. A visitor waits for a connection instead; their session
   * goes on within half an hour of their last login, which is what counts as a visit. A refusal throws their mark away,
   * so that the next call begins as a new visitor.
   */
  signIn(credential: Credential): Promise<void>;
  /** The visitor of this mark was this account: what they said becomes its history. Returns the visitor's name. */
  claimVisitor(mark: string): Promise<string>;
  /** Ends the session and forgets everything of it on this device. */
  signOut(): Promise<void>;
  /** For good; the session stays. */
  close(): void;

  /** Writes a message; it is in the outbox when this resolves, and is sent as soon as possible. */
  send(user: string, text: string, options?: SendOptions): Promise<Message>;
  resend(local: number): Promise<void>;
  discard(local: number): Promise<void>;
  edit(user: string, seq: number, text: string): Promise<void>;
  recall(user: string, seq: number): Promise<void>;
  react(user: string, seq: number, emoji: string, on: boolean): Promise<void>;
  /** Deletes messages for oneself only. */
  remove(user: string, seqs: number[]): Promise<void>;
  block(user: string, on: boolean): Promise<void>;
  typing(user: string, stopped?: boolean): void;
  markRead(user: string, seq: number): void;
  /** Which conversation this tab shows, if its window has the focus; decides about `notify`. */
  look(user: string | undefined): void;

  /** All conversations known here, newest first; more come as events after signing in. */
  conversations(): Promise<Conversation[]>;
  /** The newest page, or the one before `before`; from the cache if it is whole there. Own unsent messages come with the newest page. */
  history(user: string, options?: { before?: number; limit?: number; asVisitor?: string }): Promise<Page>;
  /** A text kept for this conversation on this device; empty deletes it. */
  setDraft(user: string, text: string): Promise<void>;
  drafts(): Promise<Map<string, string>>;

  /** For other modules of this SDK: a request as bytes, without its id; its answer as bytes. */
  ask(operation: number, body: Uint8Array): Promise<Uint8Array>;

  /** A room, to be entered under a name of 1 to 16 characters. */
  room(room: string, name: string): Room;

  on<K extends keyof Events>(event: K, handler: (value: Events[K]) => void): () => void;
}

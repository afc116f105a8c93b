/**
 * A tiny server in memory: orders, numbers, pushes and remembers as the protocol says, and loses what a script tells it
 * to lose. It checks nobody's password and knows one app only. The TypeScript twin of
 * `crates/client/tests/client/server.rs`.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { decode, encode, type Init, type Type, utf8 } from "../../src/wire/codec";
import { ANSWER, command, NOTIFY, Operation, operationOf } from "../../src/wire/command";
import { FrameReader, writeFrame } from "../../src/wire/frame";
import * as proto from "../../src/wire/proto";
import { Groups } from "./groups";
import { Rooms } from "./rooms";
import { Visitors } from "./visitors";

/** What happens to one packet; a cut is before or after it, `late` waits until another one of its line has passed. */
export type Fate = "pass" | "lose" | "twice" | "cutBefore" | "cutAfter" | "late";
export type Script = (line: number, command: number) => Fate;

interface User {
  inbox: proto.InboxEntry[];
  /** Entries up to here are no longer kept. */
  trimmed: number;
  cursors: Map<string, number>;
  read: Map<string, number>;
  delivered: Map<string, number>;
  blocks: Set<string>;
}

interface Session {
  user: string;
  device: string;
  secret: Uint8Array;
  epoch: number;
  ended: number;
}

interface Line {
  reader: FrameReader;
  session: number | undefined;
  /** Becomes the session's epoch with the first frame. */
  unconfirmed: number | undefined;
  pushed: number;
  out: Uint8Array[];
  late: [number, Uint8Array][];
  open: boolean;
}

interface Logged {
  author: string;
  entry: proto.Entry;
}

type What = Partial<Omit<proto.InboxEntry, "inboxSeq" | "user">>;

export const refusal = (code: number, more: Partial<proto.Refusal> = {}): proto.Refusal => ({
  code,
  text: "",
  retryable: false,
  retryAfterMs: 0,
  ...more,
});

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const pair = (a: string, b: string) => [a, b].sort().join(" ");
const empty = <T>(type: Type<T>): T => decode(type, new Uint8Array(0));

export class Server {
  logEpoch = 1;
  /** By its clock. */
  time = 0;
  readonly visitors = new Visitors();
  script: Script = () => "pass";
  /** Answers to sends instead of storing them, in order; then sends are stored again. */
  refuseSends: proto.Refusal[] = [];
  refuseLogin: proto.Refusal | undefined;
  /** A user has one session. */
  single = false;
  logins = 0;
  resumes = 0;
  sendsReceived = 0;
  readonly rooms = new Rooms((line, message) => this.write(line, command(NOTIFY, Operation.ROOM), proto.RoomNotify, message));
  readonly groups = new Groups({
    notify: (user, operation, type, message) => this.notify(user, operation, type, message),
    append: (owner, what) => this.append(owner, "", what),
  });
  private users = new Map<string, User>();
  private logs = new Map<string, Logged[]>();
  private known = new Map<string, { digest: string; answer: proto.SendAnswer }>();
  private sessions = new Map<number, Session>();
  private lines = new Map<number, Line>();
  private next = 0;

  accept(): number {
    const id = ++this.next;
    this.lines.set(id, { reader: new FrameReader(), session: undefined, unconfirmed: undefined, pushed: 0, out: [], late: [], open: true });
    return id;
  }

  close(line: number): void {
    this.lines.delete(line);
  }

  /** The bytes for the client, and whether the connection is still there. */
  takeOutput(id: number): { frames: Uint8Array[]; open: boolean } {
    const line = this.lines.get(id);
    if (!line) return { frames: [], open: false };
    return { frames: line.out.splice(0), open: line.open };
  }

  receive(id: number, bytes: Uint8Array): void {
    const line = this.lines.get(id);
    if (!line?.open) return;
    for (const { command: number, body } of line.reader.read(bytes)) {
      if (!line.open) return;
      this.confirm(id, line);
      const fate = this.script(id, number);
      if (fate === "cutBefore") line.open = false;
      for (let times = fate === "twice" ? 2 : fate === "lose" || fate === "cutBefore" ? 0 : 1; times > 0; times--) {
        this.request(id, line, operationOf(number), body);
        this.pushAll();
      }
      if (fate === "cutAfter") line.open = false;
    }
  }

  private user(name: string): User {
    let user = this.users.get(name);
    if (!user) this.users.set(name, (user = { inbox: [], trimmed: 0, cursors: new Map(), read: new Map(), delivered: new Map(), blocks: new Set() }));
    return user;
  }

  private log(a: string, b: string): Logged[] {
    const log = this.logs.get(pair(a, b)) ?? [];
    this.logs.set(pair(a, b), log);
    return log;
  }

  private write<T>(id: number, number: number, type: Type<T>, message: Init<T>): void {
    const fate = this.script(id, number);
    const line = this.lines.get(id);
    if (!line?.open || fate === "lose") return;
    const body = encode(type, message);
    if (fate === "late") return void line.late.push([number, body]);
    if (fate === "cutBefore") return void (line.open = false);
    line.out.push(writeFrame(number, body));
    if (fate === "twice") line.out.push(writeFrame(number, body));
    for (const [number, body] of line.late.splice(0)) line.out.push(writeFrame(number, body));
    if (fate === "cutAfter") line.open = false;
  }

  private resume(id: number, line: Line, body: Uint8Array): void {
    const request = decode(proto.ResumeRequest, body);
    const sid = Number(hex(request.ticket));
    const session = this.sessions.get(sid);
    const answer = (message: Init<proto.ResumeAnswer>) =>
      this.write(id, command(ANSWER, Operation.RESUME), proto.ResumeAnswer, { id: request.id, ...message });
    if (!session || request.epoch <= session.epoch) return answer({ refusal: refusal(proto.RefusalCode.RESUME_FAILED) });
    // Written out once more on purpose: the client's own function must not test itself.
    const numbers = new Uint8Array(8);
    new DataView(numbers.buffer).setUint32(0, request.epoch);
    new DataView(numbers.buffer).setUint32(4, request.ticket.length);
    const text = Buffer.concat([utf8("hongyan resume over TLS"), numbers, request.ticket, request.offer]);
    if (hex(hmac(sha256, session.secret, text)) !== hex(request.proof)) throw new Error("honest clients hold the secret");
    this.resumes++;
    if (session.ended) return answer({ result: { refusal: refusal(session.ended) } });
    const offer = decode(proto.ResumeOffer, request.offer);
    line.pushed = this.user(session.user).inbox.length;
    line.session = sid;
    line.unconfirmed = request.epoch;
    const page = this.page(session.user, offer.inboxCursor, offer.logEpoch, offer.limit);
    answer({ result: { ticket: request.ticket, page, heartbeatSeconds: 60 } });
  }

  /** The first frame after a resume: the epoch counts, and the session's other connections are gone. */
  private confirm(id: number, line: Line): void {
    if (line.unconfirmed === undefined) return;
    this.sessions.get(line.session!)!.epoch = line.unconfirmed;
    line.unconfirmed = undefined;
    for (const [other, rival] of this.lines) if (other !== id && rival.session === line.session) rival.open = false;
  }

  private request(id: number, line: Line, operation: number, body: Uint8Array): void {
    if (operation === Operation.RESUME) return this.resume(id, line, body);
    if (operation === Operation.LOGIN) return this.login(id, line, decode(proto.LoginRequest, body));
    const { id: request } = decode(proto.KeepaliveRequest, body);
    const answer = <T>(type: Type<T>, message: Init<T>) => this.write(id, command(ANSWER, operation), type, Object.assign({ id: request }, message) as Init<T>);
    const session = this.sessions.get(line.session ?? -1)!;
    if (session.ended) return answer(proto.LogoutAnswer, { refusal: refusal(session.ended) });
    const me = session.user;
    const user = this.user(me);
    const ofGroup = this.groups.answer(me, operation, body);
    if (ofGroup) return answer(...ofGroup);
    switch (operation) {
      case Operation.LOGOUT:
        session.ended = proto.RefusalCode.REVOKED;
        return answer(proto.LogoutAnswer, {});
      case Operation.KEEPALIVE:
        return answer(proto.KeepaliveAnswer, { inboxHead: user.inbox.length, logEpoch: this.logEpoch });
      case Operation.SEND: {
        const asked = decode(proto.SendRequest, body);
        if (asked.room !== undefined) return answer(proto.SendAnswer, { ...this.rooms.send(line.session!, asked), id: request });
        return this.send(line, me, asked, (message) => answer(proto.SendAnswer, message));
      }
      case Operation.ENTER_ROOM:
        return answer(proto.EnterRoomAnswer, this.rooms.enter(id, line.session!, decode(proto.EnterRoomRequest, body)));
      case Operation.LEAVE_ROOM:
        this.rooms.leave(line.session!, decode(proto.LeaveRoomRequest, body).room);
        return answer(proto.LeaveRoomAnswer, {});
      case Operation.ACK: {
        const { inboxCursor } = decode(proto.AckRequest, body);
        this.acknowledge(me, session.device, inboxCursor);
        return answer(proto.AckAnswer, { inboxCursor });
      }
      case Operation.SYNC: {
        const { inboxCursor, logEpoch, limit } = decode(proto.SyncRequest, body);
        this.acknowledge(me, session.device, inboxCursor);
        return answer(proto.SyncAnswer, this.page(me, inboxCursor, logEpoch, limit));
      }
      case Operation.RECEIPTS: {
        const { users } = decode(proto.ReceiptsRequest, body);
        return answer(proto.ReceiptsAnswer, { receipts: users.map((other) => this.receipt(other, me)) });
      }
      case Operation.MARK_READ: {
        const { user: other, seq } = decode(proto.MarkReadRequest, body);
        return answer(proto.MarkReadAnswer, this.markRead(me, other, seq));
      }
      case Operation.HISTORY: {
        const asked = decode(proto.HistoryRequest, body);
        return answer(proto.HistoryAnswer, asked.room ? this.rooms.history(line.session!, asked) : this.history(me, asked));
      }
      case Operation.CONVERSATIONS:
        return answer(proto.ConversationsAnswer, this.conversations(me, decode(proto.ConversationsRequest, body)));
      case Operation.RECALL: {
        const asked = decode(proto.RecallRequest, body);
        return answer(proto.ChangeAnswer, this.change(me, asked.user, asked.seq, (entry) => Object.assign(entry, { recalled: true, body: new Uint8Array(0) })));
      }
      case Operation.EDIT: {
        const asked = decode(proto.EditRequest, body);
        return answer(proto.ChangeAnswer, this.change(me, asked.user, asked.seq, (entry) => Object.assign(entry, { edited: true, body: asked.body })));
      }
      case Operation.REACT: {
        const asked = decode(proto.ReactRequest, body);
        const reactions = asked.remove ? [] : [{ name: asked.name, count: 1, own: true, users: [] }];
        return answer(proto.ChangeAnswer, this.change(me, asked.user, asked.seq, (entry) => Object.assign(entry, { reactions })));
      }
      case Operation.DELETE: {
        const asked = decode(proto.DeleteRequest, body);
        this.append(me, asked.user, { deleted: asked.deletion! });
        return answer(proto.DeleteAnswer, {});
      }
      case Operation.CLAIM_VISITOR: {
        const claimed = this.visitors.claim(decode(proto.ClaimVisitorRequest, body).mark, me);
        if (typeof claimed === "number") return answer(proto.ClaimVisitorAnswer, { refusal: refusal(claimed) });
        if (claimed.isNew) this.tellClaim(claimed.visitor, me);
        return answer(proto.ClaimVisitorAnswer, { visitor: claimed.visitor });
      }
      case Operation.BLOCK: {
        const asked = decode(proto.BlockRequest, body);
        if (asked.blocked) user.blocks.add(asked.user);
        else user.blocks.delete(asked.user);
        return answer(proto.BlockAnswer, {});
      }
      case Operation.TYPING: {
        const { user: other, stopped } = decode(proto.TypingRequest, body);
        this.notify(other, Operation.TYPING, proto.TypingNotify, { user: me, stopped });
        return answer(proto.TypingAnswer, {});
      }
    }
    throw new Error(`operation ${operation} is not in the play`);
  }

  private login(id: number, line: Line, request: proto.LoginRequest): void {
    this.logins++;
    const answer = (message: Init<proto.LoginAnswer>) =>
      this.write(id, command(ANSWER, Operation.LOGIN), proto.LoginAnswer, { id: request.id, ...message });
    if (this.refuseLogin) return answer({ refusal: this.refuseLogin });
    const visitor = request.visitor && this.visitors.login(request.visitor, this.time);
    if (typeof visitor === "number") return answer({ refusal: refusal(visitor) });
    const name = visitor?.user ?? request.token ?? request.password!.user;
    const device = hex(request.deviceId);
    const kicked = new Set<number>();
    for (const [sid, session] of this.sessions) {
      if (session.user !== name || session.ended || (session.device !== device && !this.single)) continue;
      session.ended = proto.RefusalCode.KICKED;
      if (session.device !== device) kicked.add(sid);
    }
    for (const [other, rival] of this.lines) {
      if (kicked.has(rival.session ?? -1)) {
        const notify = { reason: proto.KickoutReason.SAME_TERM_LOGIN, byTerm: proto.Term.WEB, timeMs: 77 };
        this.write(other, command(NOTIFY, Operation.KICKOUT), proto.KickoutNotify, notify);
      }
    }
    const sid = ++this.next;
    const secret = new Uint8Array(32).fill(sid);
    this.sessions.set(sid, { user: name, device, secret, epoch: 0, ended: 0 });
    const inboxHead = this.user(name).inbox.length;
    line.session = sid;
    line.pushed = inboxHead;
    answer({
      user: name,
      ...(visitor ? { visitorMark: visitor.mark } : {}),
      ticket: Uint8Array.from(String(sid).padStart(8, "0").match(/../g)!, (pair) => Number.parseInt(pair, 16)),
      resumeSecret: secret,
      logEpoch: this.logEpoch,
      inboxHead,
      inboxCursor: this.user(name).cursors.get(device) ?? 0,
      heartbeatSeconds: 60,
    });
  }

  private append(owner: string, about: string, what: What): number {
    const { inbox } = this.user(owner);
    const inboxSeq = inbox.length + 1;
    inbox.push({ inboxSeq, user: about, group: "", ...what });
    return inboxSeq;
  }

  private send(line: Line, from: string, request: proto.SendRequest, answer: (message: Init<proto.SendAnswer>) => void): void {
    this.sendsReceived++;
    const no = this.refuseSends.shift();
    if (no) return answer({ refusal: no });
    const to = request.user!;
    const key = `${from} ${to} ${hex(request.clientMessageId)}`;
    const digest = hex(encode(proto.SendRequest, { ...request, id: 0 }));
    const known = this.known.get(key);
    if (known) {
      if (known.digest !== digest) throw new Error("a repeat has the same content");
      return answer({ ...known.answer, id: request.id });
    }
    const stored = this.store(from, to, request);
    this.known.set(key, { digest, answer: stored });
    // Its own connection is told by the answer.
    if (line.pushed + 1 === stored.inboxSeq) line.pushed = stored.inboxSeq;
    answer({ ...stored, id: request.id });
  }

  private store(from: string, to: string, request: proto.SendRequest): proto.SendAnswer {
    const log = this.log(from, to);
    const { read } = this.user(from);
    const seenSeq = request.seenSeq > (read.get(to) ?? 0) ? request.seenSeq : 0;
    if (seenSeq) read.set(to, seenSeq);
    const entry: proto.Entry = {
      ...empty(proto.Entry),
      seq: log.length + 1,
      serverTimeMs: this.time,
      type: request.type,
      body: request.body,
      replyTo: request.replyTo,
      messageCount: log.filter(({ entry }) => !entry.change).length + 1,
      clientMessageId: request.clientMessageId,
      seenSeq,
    };
    log.push({ author: from, entry });
    const inboxSeq = this.append(from, to, { entry: asReadBy(from, { author: from, entry }) });
    this.append(to, from, { entry: asReadBy(to, { author: from, entry }) });
    return { ...empty(proto.SendAnswer), seq: entry.seq, inboxSeq, messageCount: entry.messageCount };
  }

  /** A message that no client of the play has sent. */
  say(from: string, to: string, text: string): void {
    const clientMessageId = new Uint8Array(16);
    new DataView(clientMessageId.buffer).setUint32(0, ++this.next);
    this.store(from, to, { ...empty(proto.SendRequest), user: to, clientMessageId, body: utf8(text) });
    this.pushAll();
  }

  private change(me: string, other: string, seq: number, act: (entry: proto.Entry) => void): Init<proto.ChangeAnswer> {
    const log = this.log(me, other);
    const entrySeq = log.length + 1;
    const target = log[seq - 1]!;
    target.entry = { ...target.entry };
    act(target.entry);
    target.entry.changedSeq = entrySeq;
    const told = (reader: string): proto.Entry => ({
      ...empty(proto.Entry),
      seq: entrySeq,
      change: { targetSeq: seq, target: asReadBy(reader, target) },
    });
    log.push({ author: me, entry: told(me) });
    const inboxSeq = this.append(me, other, { entry: told(me) });
    this.append(other, me, { entry: told(other) });
    return { seq: entrySeq, inboxSeq };
  }

  /** To everybody the visitor has spoken with, and to the account. */
  private tellClaim(visitor: string, account: string): void {
    for (const line of this.linesOf(visitor)) this.write(line, command(NOTIFY, Operation.KICKOUT), proto.KickoutNotify, { reason: proto.KickoutReason.SESSION_REVOKED, byTerm: 0, timeMs: 78 });
    for (const session of this.sessions.values()) if (session.user === visitor) session.ended = proto.RefusalCode.REVOKED;
    for (const merchant of new Set(this.user(visitor).inbox.map((entry) => entry.user))) {
      this.append(merchant, visitor, { claimed: { visitor, account } });
      this.append(account, merchant, { claimed: { visitor, account } });
    }
  }

  private acknowledge(me: string, device: string, cursor: number): void {
    const user = this.user(me);
    if (cursor > user.inbox.length) throw new Error("nobody acknowledges what does not exist");
    user.cursors.set(device, Math.max(user.cursors.get(device) ?? 0, cursor));
    const moved = new Set<string>();
    for (const { user: peer, entry } of user.inbox.slice(0, cursor)) {
      if (!entry || entry.own || (user.delivered.get(peer) ?? 0) >= entry.seq) continue;
      user.delivered.set(peer, entry.seq);
      moved.add(peer);
    }
    for (const peer of moved) this.tellReceipt(me, peer);
  }

  private tellReceipt(from: string, to: string): void {
    this.notify(to, Operation.RECEIPT, proto.ReceiptNotify, { receipts: [this.receipt(from, to)] });
  }

  private markRead(me: string, other: string, seq: number): Init<proto.MarkReadAnswer> {
    const user = this.user(me);
    const before = user.read.get(other) ?? 0;
    const readSeq = Math.max(before, seq);
    user.read.set(other, readSeq);
    const unread = this.unread(me, other);
    if (readSeq > before) {
      this.append(me, other, { read: { seq: readSeq, unread } });
      this.tellReceipt(me, other);
    }
    return { readSeq, unread, headSeq: this.log(me, other).length, inboxHead: user.inbox.length };
  }

  /** After something was done to a group by nobody of the play. */
  flush(): void {
    this.pushAll();
  }

  private pushAll(): void {
    for (const [name, { inbox }] of this.users) {
      for (const id of this.linesOf(name)) {
        const line = this.lines.get(id)!;
        const entries = inbox.slice(line.pushed);
        line.pushed = inbox.length;
        for (const entry of entries) this.write(id, command(NOTIFY, Operation.MESSAGE), proto.MessageNotify, { entries: [entry] });
      }
    }
  }

  hintAll(): void {
    for (const [name, { inbox }] of this.users) this.notify(name, Operation.HINT, proto.HintNotify, { inboxHead: inbox.length });
  }

  notify<T>(user: string, operation: number, type: Type<T>, message: Init<T>): void {
    for (const id of this.linesOf(user)) this.write(id, command(NOTIFY, operation), type, message);
  }

  /** The connections that may be told something. */
  private linesOf(user: string): number[] {
    return [...this.lines].filter(([, { open, session, unconfirmed }]) => {
      const of = this.sessions.get(session ?? -1);
      return open && unconfirmed === undefined && of?.user === user && !of.ended;
    }).map(([id]) => id);
  }

  forgetSessions(): void {
    this.sessions.clear();
    this.lines.clear();
  }

  /** Whoever has no connection is out of all rooms. */
  expireRooms(): void {
    this.rooms.expire((line) => !!this.lines.get(line)?.open);
  }

  cutAll(): void {
    for (const line of this.lines.values()) line.open = false;
  }

  trimInbox(user: string): void {
    this.user(user).trimmed = this.user(user).inbox.length;
  }

  private receipt(user: string, reader: string): proto.Receipt {
    const { delivered, read } = this.user(user);
    return { user, deliveredSeq: delivered.get(reader) ?? 0, readSeq: read.get(reader) ?? 0 };
  }

  unread(reader: string, other: string): number {
    const read = this.user(reader).read.get(other) ?? 0;
    return this.log(reader, other).filter(({ author, entry }) => author !== reader && !entry.change && entry.seq > read).length;
  }

  private history(reader: string, request: proto.HistoryRequest): Init<proto.HistoryAnswer> {
    const log = this.log(request.asVisitor || reader, request.user);
    const to = request.beforeSeq ? Math.min(request.beforeSeq - 1, log.length) : log.length;
    const from = Math.max(to - request.limit, 0);
    const seen = log.slice(from, to).filter(({ entry }) => !this.hides(reader, request.user, entry));
    const entries = seen.map((logged) => asReadBy(request.asVisitor || reader, logged));
    const covered = from < to ? { coveredFrom: from + 1, coveredTo: to } : {};
    return { entries, ...covered, asOf: log.length, lowSeq: 1 };
  }

  /** Whether the reader has deleted it. */
  private hides(reader: string, other: string, { seq }: proto.Entry): boolean {
    return this.user(reader).inbox.some(({ user, deleted }) => deleted && user === other && (seq <= deleted.upToSeq || deleted.seqs.includes(seq)));
  }

  private conversations(reader: string, request: proto.ConversationsRequest): Init<proto.ConversationsAnswer> {
    const { inbox, read, blocks } = this.user(reader);
    const activity = new Map(inbox.filter((entry) => entry.user).map((entry) => [entry.user, entry.inboxSeq]));
    const rows = [...activity].filter(([, at]) => !request.before || at < request.before).sort((a, b) => b[1] - a[1]);
    const conversations = rows.slice(0, request.limit).map(([user, activity]) => {
      const log = this.log(reader, user);
      const last = log.findLast(({ entry }) => !entry.change && !this.hides(reader, user, entry));
      const { deliveredSeq, readSeq } = this.receipt(user, reader);
      return {
        ...{ user, activity, headSeq: log.length, lowSeq: 1, unread: this.unread(reader, user), readSeq: read.get(user) ?? 0 },
        ...{ peerDeliveredSeq: deliveredSeq, peerReadSeq: readSeq, blocked: blocks.has(user) },
        ...(last ? { last: asReadBy(reader, last) } : {}),
        ...this.visitors.about(user),
      };
    });
    for (const { user, claimed, inboxSeq } of inbox) {
      if (claimed?.account !== reader) continue;
      const last = this.log(claimed.visitor, user).at(-1)!;
      conversations.push({ ...empty(proto.Conversation), user, asVisitor: claimed.visitor, activity: inboxSeq, headSeq: this.log(claimed.visitor, user).length, lowSeq: 1, unread: 7, last: asReadBy(claimed.visitor, last) });
    }
    return { conversations, more: rows.length > request.limit, inboxHead: inbox.length, logEpoch: this.logEpoch };
  }

  private page(me: string, cursor: number, cursorEpoch: number, limit: number): Init<proto.SyncAnswer> {
    const { inbox, trimmed } = this.user(me);
    const page = { inboxHead: inbox.length, logEpoch: this.logEpoch };
    if (cursorEpoch !== this.logEpoch || cursor < trimmed || cursor > inbox.length) return { ...page, reset: true };
    const entries = inbox.slice(cursor, cursor + limit);
    return { ...page, entries, more: cursor + entries.length < inbox.length };
  }

  cursor(user: string, device: Uint8Array): number {
    return this.user(user).cursors.get(hex(device)) ?? 0;
  }

  /** Texts of a conversation in the order of the log. */
  texts(a: string, b: string): string[] {
    return this.log(a, b).filter(({ entry }) => !entry.change).map(({ entry }) => new TextDecoder().decode(entry.body));
  }
}

function asReadBy(reader: string, { author, entry }: Logged): proto.Entry {
  const own = reader === author;
  return { ...entry, own: own && !entry.change, ...(own ? {} : { clientMessageId: new Uint8Array(0), seenSeq: 0 }) };
}

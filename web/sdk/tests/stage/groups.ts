/**
 * The groups of the tiny server (PROTOCOL.md §21): one log each, of which everybody sees what was said during their stays. It
 * takes every change from everybody; who may do what is the real server's to know.
 */
import { decode, encode, type Init, type Type, utf8 } from "../../src/wire/codec";
import { Operation } from "../../src/wire/command";
import * as proto from "../../src/wire/proto";

interface Stay {
  from: number;
  to: number;
}

interface Group {
  title: string;
  muted: boolean;
  log: proto.Entry[];
  stays: Map<string, Stay[]>;
  read: Map<string, number>;
  removed: Map<string, Set<number>>;
  reactions: Map<string, Set<string>>;
  known: Map<string, Init<proto.SendAnswer>>;
  stored: Map<string, number>;
  /** Rises with every change of whatever kind. */
  changed: number;
  members: number;
}

export interface Host {
  notify<T>(user: string, operation: number, type: Type<T>, message: Init<T>): void;
  append(owner: string, what: Pick<proto.InboxEntry, "membership" | "mentioned" | "read" | "deleted"> & { group: string }): number;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const empty = <T>(type: Type<T>): T => decode(type, new Uint8Array(0));
const refusal = (code: number): proto.Refusal => ({ code, text: "", retryable: false, retryAfterMs: 0 });
const NOT_FOUND = refusal(proto.RefusalCode.NOT_FOUND);

export class Groups {
  /** Answers to sends instead of storing them, in order. */
  refuseSends: proto.Refusal[] = [];
  /** What was asked of histories, to count. */
  histories = 0;
  /** GROUPS was asked so often, and with what. */
  readonly asked: proto.GroupsRequest[] = [];
  acks = 0;
  /** As a server that is older than groups. */
  isUnknown = false;
  /** So many of those who gave a reaction are named. */
  namedMax = 10;
  private readonly groups = new Map<string, Group>();
  private clock = 0;
  private made = 0;

  constructor(private readonly host: Host) {}

  create(id: string, owner: string, title: string, users: readonly string[]): void {
    const group: Group = { title, muted: false, log: [], stays: new Map(), read: new Map(), removed: new Map(), reactions: new Map(), known: new Map(), stored: new Map(), changed: 0, members: 0 };
    this.groups.set(id, group);
    this.enter(id, owner, [owner], { created: title });
    if (users.length) this.enter(id, owner, users, { joined: { users: [...users] } });
  }

  private group(id: string | undefined, member: string): Group | undefined {
    const group = this.groups.get(id ?? "");
    return group?.stays.has(member) ? group : undefined;
  }

  private present(group: Group): string[] {
    return [...group.stays].filter(([, stays]) => stays.at(-1)!.to === Infinity).map(([user]) => user);
  }

  private isIn(id: string | undefined, user: string): boolean {
    const group = this.group(id, user);
    return !!group && this.present(group).includes(user);
  }

  private tell(id: string, entry: proto.Entry): void {
    const group = this.groups.get(id)!;
    group.log.push(entry);
    group.changed = ++this.clock;
    for (const user of this.present(group)) this.host.notify(user, Operation.GROUP, proto.GroupNotify, { group: id, entries: [entry], headSeq: entry.seq });
  }

  private next(id: string, sender: string): proto.Entry {
    return { ...empty(proto.Entry), seq: this.groups.get(id)!.log.length + 1, sender, serverTimeMs: this.clock };
  }

  /** What has happened. */
  event(id: string, sender: string, event: Init<proto.GroupEvent>): void {
    this.tell(id, { ...this.next(id, sender), event: event as proto.GroupEvent });
  }

  private enter(id: string, sender: string, users: readonly string[], event: Init<proto.GroupEvent>): void {
    const group = this.groups.get(id)!;
    for (const user of users) group.stays.set(user, [...(group.stays.get(user) ?? []), { from: group.log.length + 1, to: Infinity }]);
    group.members++;
    for (const user of users) this.host.append(user, { group: id, membership: { member: true } });
    this.event(id, sender, event);
  }

  /** Says only how far the log goes, as when pushes were dropped. */
  hint(id: string): void {
    const group = this.groups.get(id)!;
    for (const user of this.present(group)) this.host.notify(user, Operation.GROUP, proto.GroupNotify, { group: id, headSeq: group.log.length });
  }

  /** Invites people. */
  invite(id: string, sender: string, ...users: string[]): void {
    this.enter(id, sender, users, { joined: { users } });
  }

  remove(id: string, sender: string, user: string): void {
    const group = this.groups.get(id)!;
    // The entry that tells it is the last that they see.
    this.event(id, sender, { left: { users: [user] } });
    group.stays.get(user)!.at(-1)!.to = group.log.length;
    group.members++;
    this.host.append(user, { group: id, membership: { member: false } });
  }

  rename(id: string, sender: string, title: string): void {
    this.groups.get(id)!.title = title;
    this.event(id, sender, { title });
  }

  texts(id: string): string[] {
    return this.groups.get(id)!.log.filter((entry) => !entry.change && !entry.event).map(({ body }) => new TextDecoder().decode(body));
  }

  /** What no client of the play has said. */
  say(id: string, sender: string, text: string, more: Partial<proto.Entry> = {}): void {
    const clientMessageId = new Uint8Array(16);
    new DataView(clientMessageId.buffer).setUint32(12, ++this.made);
    this.tell(id, { ...this.next(id, sender), body: utf8(text), clientMessageId, ...more });
    for (const user of more.mentions ?? []) this.host.append(user, { group: id, mentioned: this.groups.get(id)!.log.length });
  }

  stored(id: string, user: string): number {
    return this.groups.get(id)!.stored.get(user) ?? 0;
  }

  /** The answer to a request of this operation, if it is one about a group. */
  answer(me: string, operation: number, body: Uint8Array): [Type<any>, object] | undefined {
    switch (operation) {
      case Operation.SEND: {
        const asked = decode(proto.SendRequest, body);
        return asked.group === undefined ? undefined : [proto.SendAnswer, this.send(me, asked)];
      }
      case Operation.HISTORY: {
        const asked = decode(proto.HistoryRequest, body);
        return asked.group ? [proto.HistoryAnswer, this.history(me, asked)] : undefined;
      }
      case Operation.MARK_READ: {
        const { group, seq } = decode(proto.MarkReadRequest, body);
        return group ? [proto.MarkReadAnswer, this.markRead(me, group, seq)] : undefined;
      }
      case Operation.REACT: {
        const asked = decode(proto.ReactRequest, body);
        return asked.group ? [proto.ChangeAnswer, this.react(me, asked)] : undefined;
      }
      case Operation.EDIT: {
        const asked = decode(proto.EditRequest, body);
        return asked.group ? [proto.ChangeAnswer, this.change(me, asked.group, asked.seq, (entry) => Object.assign(entry, { edited: true, body: asked.body }))] : undefined;
      }
      case Operation.DELETE: {
        const { group, deletion } = decode(proto.DeleteRequest, body);
        if (!group) return undefined;
        const removed = this.groups.get(group)!.removed;
        removed.set(me, new Set([...(removed.get(me) ?? []), ...deletion!.seqs]));
        this.host.append(me, { group, deleted: deletion! });
        return [proto.DeleteAnswer, {}];
      }
      case Operation.TYPING: {
        const { group, stopped } = decode(proto.TypingRequest, body);
        if (!group) return undefined;
        const others = this.present(this.groups.get(group)!).filter((user) => user !== me);
        for (const user of others) this.host.notify(user, Operation.TYPING, proto.TypingNotify, { user: me, group, stopped });
        return [proto.TypingAnswer, {}];
      }
      case Operation.GROUPS:
        if (this.isUnknown) return [proto.GroupsAnswer, { refusal: refusal(proto.RefusalCode.UNKNOWN_COMMAND) }];
        return [proto.GroupsAnswer, this.list(me, decode(proto.GroupsRequest, body))];
      case Operation.GROUP_ACK: {
        this.acks++;
        for (const { group, seq } of decode(proto.GroupAckRequest, body).cursors) this.groups.get(group)!.stored.set(me, seq);
        return [proto.GroupAckAnswer, {}];
      }
      case Operation.CREATE_GROUP: {
        const { group, profile, users } = decode(proto.CreateGroupRequest, body);
        this.create(group, me, profile?.title ?? "", users);
        return [proto.CreateGroupAnswer, { group }];
      }
      case Operation.CHANGE_GROUP: {
        const { group, invite, remove, profile } = decode(proto.ChangeGroupRequest, body);
        if (!this.isIn(group, me)) return [proto.ChangeGroupAnswer, { refusal: NOT_FOUND }];
        if (invite) this.invite(group, me, ...invite.users);
        for (const user of remove?.users ?? []) this.remove(group, me, user);
        if (profile?.title) this.rename(group, me, profile.title);
        return [proto.ChangeGroupAnswer, { seq: this.groups.get(group)!.log.length }];
      }
      case Operation.GROUP_MEMBERS: {
        const { group } = decode(proto.GroupMembersRequest, body);
        const members = this.present(this.groups.get(group)!).sort().map((user) => ({ user }));
        return [proto.GroupMembersAnswer, { members, memberListVersion: this.groups.get(group)!.members }];
      }
      case Operation.GROUP_RECEIPTS: {
        const { group, seq } = decode(proto.GroupReceiptsRequest, body);
        const { read, stays, log } = this.groups.get(group)!;
        const others = [...stays.keys()].filter((user) => user !== log[seq - 1]!.sender);
        const readers = others.filter((user) => (read.get(user) ?? 0) >= seq);
        const delivered = others.filter((user) => this.stored(group, user) >= seq).length;
        return [proto.GroupReceiptsAnswer, { members: others.length, delivered, read: readers.length, readers }];
      }
    }
    return undefined;
  }

  private send(me: string, request: proto.SendRequest): Init<proto.SendAnswer> {
    const id = request.group!;
    const no = this.refuseSends.shift();
    if (no) return { refusal: no };
    const group = this.group(id, me);
    const key = `${me} ${hex(request.clientMessageId)}`;
    const known = group?.known.get(key);
    if (known) return known;
    if (!group || !this.isIn(id, me)) return { refusal: NOT_FOUND };
    const { body, replyTo, clientMessageId, mentions, mentionAll, type } = request;
    const entry = { ...this.next(id, me), body, replyTo, clientMessageId, mentions, mentionAll, type };
    // The push may come before the answer.
    this.tell(id, entry);
    for (const user of mentions) this.host.append(user, { group: id, mentioned: entry.seq });
    const answer = { seq: entry.seq, serverTimeMs: entry.serverTimeMs };
    group.known.set(key, answer);
    return answer;
  }

  /** Seqs that this person may see. */
  private sees(group: Group, me: string, seq: number): boolean {
    return group.stays.get(me)!.some(({ from, to }) => from <= seq && seq <= to) && !group.removed.get(me)?.has(seq);
  }

  private head(group: Group, me: string): number {
    return Math.min(group.stays.get(me)!.at(-1)!.to, group.log.length);
  }

  private asRead(group: Group, me: string, entry: proto.Entry): proto.Entry {
    const reactions = entry.reactions.map((reaction) => ({ ...reaction, own: group.reactions.get(`${entry.seq} ${reaction.name}`)?.has(me) ?? false }));
    // A page does not enclose what has changed.
    const change = entry.change && { targetSeq: entry.change.targetSeq };
    return { ...entry, reactions, ...(change && { change }) };
  }

  private history(me: string, { group: id, beforeSeq, afterSeq, limit, asOf }: proto.HistoryRequest): Init<proto.HistoryAnswer> {
    this.histories++;
    const group = this.group(id, me);
    if (!group) return { refusal: NOT_FOUND };
    const head = this.head(group, me);
    if (asOf) {
      const changed = group.log.slice(0, beforeSeq - 1).filter((entry) => entry.changedSeq > asOf && this.sees(group, me, entry.seq));
      return { entries: changed.slice(-limit).map((entry) => this.asRead(group, me, entry)), asOf: head, lowSeq: 1 };
    }
    const to = afterSeq ? Math.min(afterSeq + limit, head) : Math.min((beforeSeq || head + 1) - 1, head);
    const above = afterSeq || Math.max(to - limit, 0);
    const entries = group.log.slice(above, to).filter(({ seq }) => this.sees(group, me, seq)).map((entry) => this.asRead(group, me, entry));
    return { entries, ...(above < to ? { coveredFrom: above + 1, coveredTo: to } : {}), asOf: head, lowSeq: 1 };
  }

  unread(id: string, me: string): number {
    const group = this.groups.get(id)!;
    const above = group.read.get(me) ?? 0;
    return group.log.filter((entry) => entry.seq > above && entry.seq <= this.head(group, me) && entry.sender !== me && !entry.change && !entry.event && this.sees(group, me, entry.seq)).length;
  }

  private markRead(me: string, id: string, seq: number): Init<proto.MarkReadAnswer> {
    const group = this.group(id, me)!;
    const before = group.read.get(me) ?? 0;
    const readSeq = Math.max(before, Math.min(seq, this.head(group, me)));
    group.read.set(me, readSeq);
    const unread = this.unread(id, me);
    const inboxHead = readSeq > before ? this.host.append(me, { group: id, read: { seq: readSeq, unread } }) : 0;
    return { readSeq, unread, headSeq: this.head(group, me), inboxHead };
  }

  private react(me: string, { group: id, seq, name, remove }: proto.ReactRequest): Init<proto.ChangeAnswer> {
    const group = this.group(id, me)!;
    const key = `${seq} ${name}`;
    const users = group.reactions.get(key) ?? new Set();
    group.reactions.set(key, users);
    if (remove) users.delete(me);
    else users.add(me);
    return this.change(me, id, seq, (entry) => {
      const others = entry.reactions.filter((reaction) => reaction.name !== name);
      entry.reactions = [...others, ...(users.size ? [{ name, count: users.size, own: false, users: [...users].slice(-this.namedMax) }] : [])];
    });
  }

  private change(me: string, id: string, seq: number, act: (entry: proto.Entry) => void): Init<proto.ChangeAnswer> {
    const group = this.group(id, me)!;
    const entry = this.next(id, me);
    const target = { ...group.log[seq - 1]!, changedSeq: entry.seq };
    act(target);
    group.log[seq - 1] = target;
    this.tell(id, { ...entry, change: { targetSeq: seq, target } });
    return { seq: entry.seq };
  }

  private list(me: string, asked: proto.GroupsRequest): Init<proto.GroupsAnswer> {
    this.asked.push(asked);
    const { since, after, limit, group: only } = asked;
    const mine = [...this.groups].filter(([id, group]) => group.stays.has(me) && (!only || id === only) && group.changed > since && id > after);
    const page = mine.sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, limit);
    const groups = page.map(([id, group]): Init<proto.Group> => {
      const seen = group.log.filter((entry) => this.sees(group, me, entry.seq) && !entry.change);
      const readSeq = group.read.get(me) ?? 0;
      const mentioned = seen.findLast((entry) => entry.seq > readSeq && entry.mentions.includes(me));
      const last = seen.at(-1);
      return {
        ...{ group: id, profile: { title: group.title }, memberCount: this.present(group).length, memberListVersion: group.members },
        ...{ headSeq: this.head(group, me), lowSeq: 1, readSeq, unread: this.unread(id, me), mentionSeq: mentioned?.seq ?? 0 },
        ...{ role: proto.GroupRole.MEMBER, left: !this.isIn(id, me), profileVersion: group.changed },
        ...(last ? { last: decode(proto.Entry, encode(proto.Entry, last)) } : {}),
      };
    });
    return { groups, more: mine.length > page.length, token: this.clock };
  }
}

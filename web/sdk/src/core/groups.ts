/**
 * The groups of this user (PROTOCOL.md §21). Each has a log of its own, of which this device has applied everything up to a
 * cursor: each entry once and in order, whatever pushes were lost. How a group stands in the list, what is unread and what was
 * said is known in `conversations.ts`, as for people.
 *
 * Which groups there are is asked for after every connection; a group about which that was told for the first time begins at
 * its newest entry.
 */

import { Operation } from "../wire/command";
import * as proto from "../wire/proto";
import { groupName, isVisitor, to } from "./alias";
import { type Core, earliest } from "./core";
import { type Hidden, isHidden } from "./requests";
import { insert } from "./ranges";
import type { ConversationRow } from "./rows";

/** What is not answered is asked for again after so long. */
const ANSWER_MS = 10_000;
/** A first pause after a refusal that gives no advice. */
const RETRY_MS = 1_000;
/** What is missing below an own message, or a change, is probably on its way. */
const LATE_MS = 1_000;
/** Groups asked for at once, and entries of one of them. */
const PAGE = 100;
/** Logs that are read at the same time. */
const READS_MAX = 4;
/** Who is further behind goes on from the head; histories tell the rest better. */
const GAP_MAX = 500;
/** Acknowledged is what was stored after so many entries, or so long. */
const ACK_ENTRIES = 20;
const ACK_AFTER_MS = 5_000;
const ACK_GROUPS_MAX = 100;
/** The members of a large group must not all ask in the same instant what has changed. */
const SPREAD_MS_MAX = 10_000;

/** What this device does about one group's log. */
interface Log {
  /** The newest entry that is known to exist. */
  head: number;
  /** What is missing is asked for from then on. */
  askAt: number;
  /** Own messages above the cursor that were told already: seq and row of the outbox. */
  own: Map<number, number>;
}

/** What an id of a request stands for. */
export type GroupPending =
  | { kind: "groups"; after: string; group: string; hidden: Hidden[] }
  /** `asOf`: only rows up to there that have changed since. */
  | { kind: "missed"; user: string; asOf: number | undefined; hidden: Hidden[] }
  | { kind: "groupAck"; users: string[] };

export class Groups {
  private readonly logs = new Map<string, Log>();
  /** When the list is asked for, if it is wanted. */
  private listAt: number | undefined;
  /** The last id of the page before. */
  private after = "";
  /** Of the first page. */
  private next = 0;
  /** Groups to be asked for one by one, and when. */
  private readonly stale = new Map<string, number>();
  private readonly unacknowledged = new Set<string>();
  private stored = 0;
  private ackAt: number | undefined;
  private inboxIsRead = false;

  constructor(
    private readonly core: Core,
    private token = 0,
  ) {}

  /** After a login or resume, and whenever something of a group was done that it does not tell. */
  wantList(): void {
    if (isVisitor(this.core.user ?? "")) return;
    this.listAt = 0;
    this.after = "";
    for (const { conversation, changedSince } of this.rows()) if (changedSince !== undefined) this.log(conversation.user);
    this.flush();
  }

  /** Nothing that was kept means anything any more. */
  forget(): void {
    this.token = 0;
    for (const { own } of this.logs.values()) for (const local of own.values()) this.core.outbox.forgetSent(local);
    this.logs.clear();
    this.unacknowledged.clear();
    this.ackAt = undefined;
    for (const row of this.rows()) row.cursor = undefined;
    this.wantList();
  }

  /** The store or the inbox has lost something: all of them are asked for, also those of which only this user's mark has moved. */
  renew(): void {
    this.token = 0;
    this.wantList();
  }

  private rows(): ConversationRow[] {
    return this.core.conversations.rows().filter(({ group }) => group);
  }

  linkLost(): void {
    this.stale.clear();
    this.listAt = this.ackAt = undefined;
    for (const log of this.logs.values()) log.askAt = 0;
    for (const pending of this.core.pending.values()) if (pending.kind === "groupAck") this.toAcknowledge(pending.users);
  }

  private log(user: string): Log {
    let log = this.logs.get(user);
    if (!log) this.logs.set(user, (log = { head: 0, askAt: 0, own: new Map() }));
    return log;
  }

  private cursor(user: string): number | undefined {
    return this.core.conversations.row(user)?.cursor;
  }

  /** Those of which something is missing. */
  private behind(): [string, Log][] {
    return [...this.logs].filter(([user, { head }]) => {
      const { cursor = Infinity, changedSince } = this.core.conversations.row(user) ?? {};
      return head > cursor || changedSince !== undefined;
    });
  }

  private get reads(): number {
    return [...this.core.pending.values()].filter(({ kind }) => kind === "missed").length;
  }

  deadline(): number | undefined {
    if (!this.core.link.is("live")) return undefined;
    const reads = this.reads < READS_MAX ? this.behind().map(([, { askAt }]) => askAt) : [];
    return earliest(this.listAt, this.ackAt, ...this.stale.values(), ...reads);
  }

  pump(now: number): void {
    const { core } = this;
    if (!core.link.is("live")) return;
    if (this.listAt !== undefined && this.listAt <= now) {
      this.listAt = now + ANSWER_MS + core.jitter.upTo(RETRY_MS);
      this.ask(now, this.after, "");
    }
    for (const [user, at] of this.stale) {
      if (at > now) continue;
      this.stale.delete(user);
      this.ask(now, "", to(user).group!);
    }
    for (const [user, log] of this.behind()) if (log.askAt <= now && this.reads < READS_MAX) this.read(now, user, log);
    if (this.ackAt !== undefined && this.ackAt <= now) this.acknowledge(now);
    if (!this.inboxIsRead || this.listAt !== undefined || this.behind().length) return;
    this.inboxIsRead = false;
    core.tell({ kind: "caughtUp" });
  }

  /** Everything of the inbox has arrived; that of the groups may not have. */
  caughtUp(): void {
    this.inboxIsRead = true;
  }

  private ask(now: number, after: string, group: string): void {
    const id = this.core.link.nextId();
    this.core.pending.set(id, { kind: "groups", after, group, hidden: [] });
    this.core.write(now, Operation.GROUPS, proto.GroupsRequest, { id, since: group ? 0 : this.token, after, limit: PAGE, group });
  }

  listAnswered(now: number, { refusal, groups, more, token }: proto.GroupsAnswer, { after, group, hidden }: GroupPending & { kind: "groups" }): void {
    if (refusal) {
      const again = refusal.retryable ? now + Math.max(refusal.retryAfterMs, RETRY_MS) : undefined;
      // An older server knows nothing of groups; who is not in this one any more hears of it by the list.
      if (!group) this.listAt = again;
      else if (again) this.stale.set(groupName(group), again);
      return;
    }
    for (const told of groups) this.merge(now, told, hidden);
    // Asked for once more since, from the top.
    if (group || after !== this.after) return;
    if (!after) this.next = token;
    this.after = groups.at(-1)?.group ?? "";
    this.listAt = more ? 0 : undefined;
    if (more) return;
    this.after = "";
    this.token = this.next;
    this.core.keep({ kind: "groups", value: this.token });
  }

  /** `hidden` = what was deleted since it was asked for. */
  private merge(now: number, told: proto.Group, hidden: readonly Hidden[]): void {
    const user = groupName(told.group);
    const { headSeq, last } = told;
    if (last) this.core.markOwn([last]);
    if (last && isHidden(hidden, user, last.seq)) delete told.last;
    const known = this.core.conversations.change(user);
    known.merge({ ...told, activity: headSeq });
    const { row } = known;
    row.group = { ...told, last: undefined };
    // Without a message, the newest event tells when the group came to be.
    if (row.cursor === undefined) this.moveTo(now, user, row, last ? headSeq : Math.max(headSeq - 1, 0));
    this.noteHead(now, user, headSeq);
  }

  /** What is known of this group is not as it was. */
  refresh(now: number, user: string): void {
    const { memberCount = 0 } = this.core.conversations.row(user)?.group ?? {};
    this.stale.set(user, now + this.core.jitter.upTo(Math.min(memberCount, SPREAD_MS_MAX)));
  }

  noteMention(now: number, user: string, seq: number): void {
    const { row } = this.core.conversations.change(user);
    if (row.group) row.group = { ...row.group, mentionSeq: Math.max(row.group.mentionSeq, seq) };
    this.noteHead(now, user, seq);
  }

  /** Entries exist up to here. What is missing is asked for at once, or when what is on its way should have come. */
  noteHead(now: number, user: string, seq: number, patience = 0): void {
    const log = this.log(user);
    if (seq <= log.head) return;
    const isBehind = log.head > (this.cursor(user) ?? 0);
    log.head = seq;
    if (!isBehind) log.askAt = now + patience;
  }

  notified(now: number, { group, entries, headSeq }: proto.GroupNotify): void {
    const user = groupName(group);
    const row = this.core.conversations.row(user);
    // The inbox may say so only later; what it has missed it finds in the history.
    if (row?.cursor === undefined) return void (this.stale.has(user) || this.refresh(now, user));
    this.core.markOwn(entries);
    for (const entry of entries) if (entry.seq === row.cursor + 1) this.apply(now, user, row, entry);
    this.noteHead(now, user, Math.max(headSeq, entries.at(-1)?.seq ?? 0));
  }

  private read(now: number, user: string, log: Log): void {
    const { core } = this;
    const { row } = core.conversations.change(user);
    const cursor = row.cursor!;
    if (log.head - cursor > GAP_MAX) {
      this.moveTo(now, user, row, log.head);
      this.refresh(now, user);
      return this.skip(row);
    }
    log.askAt = now + ANSWER_MS;
    const id = core.link.nextId();
    const asOf = log.head > cursor ? undefined : row.changedSince;
    core.pending.set(id, { kind: "missed", user, asOf, hidden: [] });
    // After 0 would be taken for "the newest".
    const where = asOf ? { asOf, beforeSeq: asOf + 1 } : cursor ? { afterSeq: cursor } : { beforeSeq: PAGE + 1 };
    core.write(now, Operation.HISTORY, proto.HistoryRequest, { id, ...to(user), ...where, limit: PAGE });
  }

  /** What is kept of this log may not be as it was: histories are asked for anew. */
  private skip(row: ConversationRow): void {
    row.covered = [];
    row.changedSince = undefined;
    this.core.tell({ kind: "reset" });
  }

  /** Whether this was a page of what was missed. */
  answered(now: number, answer: proto.HistoryAnswer): boolean {
    const { core } = this;
    const asked = core.forget(answer.id, "missed");
    if (!asked) return false;
    const { user, asOf, hidden } = asked;
    const { row } = core.conversations.change(user);
    const log = this.log(user);
    const { refusal } = answer;
    if (row.cursor === undefined) return true;
    if (refusal) {
      if (refusal.retryable) log.askAt = now + Math.max(refusal.retryAfterMs, RETRY_MS);
      else {
        log.head = row.cursor;
        row.changedSince = undefined;
      }
      return true;
    }
    log.askAt = 0;
    core.markOwn(answer.entries);
    const entries = answer.entries.filter(({ seq }) => !isHidden(hidden, user, seq));
    if (asOf !== undefined) this.takeChanges(user, row, entries);
    else this.takePage(now, user, row, { ...answer, entries });
    return true;
  }

  private takePage(now: number, user: string, row: ConversationRow, { entries, coveredFrom, coveredTo }: proto.HistoryAnswer): void {
    const before = row.cursor!;
    for (const entry of entries) {
      if (entry.seq <= row.cursor!) continue;
      this.apply(now, user, row, entry);
      // A page does not say how rows have changed that were read before.
      const { target, targetSeq = Infinity } = entry.change ?? {};
      if (!target && targetSeq <= before) row.changedSince ??= before;
    }
    // What the log does not have will never come.
    insert(row.covered, coveredFrom, coveredTo);
    this.moveTo(now, user, row, Math.max(row.cursor!, coveredTo || this.log(user).head));
  }

  private takeChanges(user: string, row: ConversationRow, entries: proto.Entry[]): void {
    row.changedSince = undefined;
    for (const target of entries) this.core.conversations.applyChange(0, user, 0, { targetSeq: target.seq, target });
    if (entries.length >= PAGE) this.skip(row);
  }

  private apply(now: number, user: string, row: ConversationRow, entry: proto.Entry): void {
    const { core } = this;
    const isTold = this.log(user).own.has(entry.seq);
    this.moveTo(now, user, row, entry.seq);
    if (isTold) return;
    core.inbox.applyEntry(now, entry.seq, user, entry);
    if (entry.event) this.refresh(now, user);
    if (!entry.own && (entry.mentionAll || entry.mentions.includes(core.user ?? ""))) this.noteMention(now, user, entry.seq);
  }

  private moveTo(now: number, user: string, row: ConversationRow, cursor: number): void {
    const { own } = this.log(user);
    while (own.has(cursor + 1)) cursor++;
    for (const [seq, local] of own) {
      if (seq > cursor) continue;
      own.delete(seq);
      this.core.outbox.forgetSent(local);
    }
    if (row.cursor === cursor) return;
    row.cursor = cursor;
    this.core.conversations.change(user);
    this.toAcknowledge([user]);
    this.ackAt = ++this.stored < ACK_ENTRIES ? (this.ackAt ?? now + ACK_AFTER_MS) : now;
  }

  awaitOwn(seq: number, local: number, user: string): void {
    this.log(user).own.set(seq, local);
  }

  /** The place of an own message became known from its answer. */
  ownArrived(now: number, seq: number, local: number, user: string): void {
    const { row } = this.core.conversations.change(user);
    this.awaitOwn(seq, local, user);
    this.noteHead(now, user, seq, LATE_MS);
    if (row.cursor === undefined) this.refresh(now, user);
    else this.moveTo(now, user, row, row.cursor);
  }

  private toAcknowledge(users: readonly string[]): void {
    for (const user of users) this.unacknowledged.add(user);
  }

  /** What was stored is said now instead of soon. */
  flush(): void {
    if (this.unacknowledged.size) this.ackAt = 0;
  }

  private acknowledge(now: number): void {
    const { core } = this;
    const users = [...this.unacknowledged].slice(0, ACK_GROUPS_MAX);
    for (const user of users) this.unacknowledged.delete(user);
    this.stored = 0;
    this.ackAt = this.unacknowledged.size ? now + RETRY_MS : undefined;
    const id = core.link.nextId();
    core.pending.set(id, { kind: "groupAck", users });
    core.write(now, Operation.GROUP_ACK, proto.GroupAckRequest, { id, cursors: users.map((user) => ({ group: to(user).group!, seq: this.cursor(user)! })) });
  }
}

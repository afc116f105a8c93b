/** Where the rows of a core are kept: what every store does, and the one in memory for browsers that keep nothing. */

import { nameOf } from "../core/alias";
import { isOne, nothing, type Restored, type Row } from "../core/rows";
import type { Entry } from "../wire/proto";

export interface Store {
  load(): Promise<Restored>;
  /** One transaction: all rows or none. */
  commit(rows: readonly Row[]): Promise<void>;
  /** The newest messages with `from <= seq <= to`, at most `limit`, ascending. */
  messages(user: string, from: number, to: number, limit: number): Promise<Entry[]>;
  drafts(): Promise<Map<string, string>>;
  setDraft(user: string, text: string): Promise<void>;
  /** Forgets everything. */
  wipe(): Promise<void>;
  close(): void;
}

/** Messages with `from <= seq <= to` that are gone. */
export interface Removed {
  user: string;
  from: number;
  to: number;
}

/** A row of a log as a batch tells it; `mine` as in `rows.ts`. */
export type Told = Pick<Row & { kind: "message" }, "entry" | "mine">;

export interface Changes {
  removed: Removed[];
  /** By conversation and seq, what is newest in the batch and was not deleted by it. */
  messages: Map<string, Map<number, Told>>;
}

/** What becomes of the messages in a batch: its rows speak of the same message more than once. */
export function fold(rows: readonly Row[]): Changes {
  const changes: Changes = { removed: [], messages: new Map() };
  for (const row of rows) {
    if (row.kind === "message") {
      let of = changes.messages.get(row.user);
      if (!of) changes.messages.set(row.user, (of = new Map()));
      const known = of.get(row.entry.seq);
      const entry = newer(row, known?.entry);
      if (entry) of.set(entry.seq, { entry, mine: known && known.mine === undefined ? undefined : row.mine });
    } else {
      for (const removed of removedBy(row)) {
        changes.removed.push(removed);
        remove(changes.messages, removed);
      }
    }
  }
  return changes;
}

function removedBy(row: Row): Removed[] {
  if (row.kind === "absent") return [row];
  if (row.kind !== "deleted") return [];
  const { user, deletion } = row;
  return [{ from: 0, to: deletion.upToSeq }, ...deletion.seqs.map((seq) => ({ from: seq, to: seq }))].map((range) => ({ user, ...range }));
}

function remove(messages: Map<string, Map<number, unknown>>, { user, from, to }: Removed): void {
  const of = messages.get(user);
  for (const seq of of?.keys() ?? []) if (from <= seq && seq <= to) of!.delete(seq);
}

/** What is to be kept of a row, unless what is kept already is newer. */
export function newer({ entry, mine }: Told, kept: Entry | undefined): Entry | undefined {
  if (!kept) return entry;
  if (kept.changedSeq > entry.changedSeq) return undefined;
  if (mine === undefined) return entry;
  // Which reactions are this user's own follows from what was known before, and from who has changed something.
  const reactions = entry.reactions.map((reaction) => {
    if (reaction.users.length >= reaction.count) return reaction;
    const { count = 0, own = false } = kept.reactions.find(({ name }) => name === reaction.name) ?? {};
    return { ...reaction, own: mine && count !== reaction.count ? count < reaction.count : own };
  });
  return { ...entry, reactions };
}

export class MemoryStore implements Store {
  private kept: Restored = nothing();
  private entries = new Map<string, Map<number, Entry>>();
  private texts = new Map<string, string>();

  async load(): Promise<Restored> {
    return this.restored();
  }

  restored(): Restored {
    return { ...this.kept, outbox: [...this.kept.outbox], conversations: [...this.kept.conversations], reads: new Map(this.kept.reads) };
  }

  async commit(rows: readonly Row[]): Promise<void> {
    this.keep(rows);
  }

  keep(rows: readonly Row[]): void {
    for (const row of rows) this.apply(row);
    const { removed, messages } = fold(rows);
    for (const range of removed) remove(this.entries, range);
    for (const [user, changed] of messages) {
      const of = this.entries.get(user) ?? new Map<number, Entry>();
      this.entries.set(user, of);
      for (const [seq, told] of changed) {
        const entry = newer(told, of.get(seq));
        if (entry) of.set(seq, entry);
      }
    }
  }

  private apply(row: Row): void {
    const { kept } = this;
    if (isOne(row)) Object.assign(kept, { [row.kind]: row.value });
    else if (row.kind === "read") {
      if (row.seq) kept.reads.set(row.user, row.seq);
      else kept.reads.delete(row.user);
    } else if (row.kind === "outbox") {
      kept.outbox = [...kept.outbox.filter((other) => other.local !== row.row.local), row.row];
    } else if (row.kind === "outboxDone") kept.outbox = kept.outbox.filter((other) => other.local !== row.local);
    else if (row.kind === "conversation") {
      const name = nameOf(row.row.conversation);
      kept.conversations = [...kept.conversations.filter((other) => nameOf(other.conversation) !== name), row.row];
    }
  }

  async messages(user: string, from: number, to: number, limit: number): Promise<Entry[]> {
    return this.entriesOf(user, from, to, limit);
  }

  entriesOf(user: string, from: number, to: number, limit: number): Entry[] {
    const entries = [...(this.entries.get(user)?.values() ?? [])].filter((entry) => entry.seq >= from && entry.seq <= to);
    return entries.sort((a, b) => a.seq - b.seq).slice(-limit);
  }

  async drafts(): Promise<Map<string, string>> {
    return new Map(this.texts);
  }

  async setDraft(user: string, text: string): Promise<void> {
    if (text) this.texts.set(user, text);
    else this.texts.delete(user);
  }

  async wipe(): Promise<void> {
    this.kept = nothing();
    this.entries.clear();
    this.texts.clear();
  }

  close(): void {}
}

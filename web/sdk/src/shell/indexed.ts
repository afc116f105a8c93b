/**
 * The store in IndexedDB: one database per server and app, opened by the leading tab. A database that is deleted or
 * closed under us is told by `lost`; what to do then is the engine's matter.
 */

import { nameOf } from "../core/alias";
import { insert, type Range } from "../core/ranges";
import { isOne, nothing, ONES, type Restored, type Row } from "../core/rows";
import type { Entry } from "../wire/proto";
import { fold, newer, type Store } from "./store";

const VERSION = 1;
const STORES = ["meta", "outbox", "messages", "conversations", "reads", "drafts"] as const;
/** An open that does not come to an end is given up: some browsers hang here after an update. */
const OPEN_MS = 5_000;

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

export async function openIndexedStore(factory: IDBFactory, name: string, lost: () => void): Promise<Store> {
  const request = factory.open(name, VERSION);
  request.onupgradeneeded = () => {
    for (const store of STORES) request.result.createObjectStore(store);
  };
  const late = new Promise<never>((_, reject) => setTimeout(reject, OPEN_MS, new Error("the database does not open")));
  const database = await Promise.race([done(request), late]);
  database.onversionchange = () => {
    database.close();
    lost();
  };
  database.onclose = lost;
  return new IndexedStore(database);
}

class IndexedStore implements Store {
  constructor(private readonly database: IDBDatabase) {}

  async load(): Promise<Restored> {
    const transaction = this.database.transaction(STORES, "readonly");
    const all = (name: (typeof STORES)[number]) => done(transaction.objectStore(name).getAll());
    const meta = transaction.objectStore("meta");
    const reads = transaction.objectStore("reads");
    const [outbox, conversations, readKeys, readSeqs, ...values] = await Promise.all([
      all("outbox"),
      all("conversations"),
      done(reads.getAllKeys()),
      done(reads.getAll()),
      ...ONES.map((key) => done(meta.get(key))),
    ]);
    const restored = { ...nothing(), outbox, conversations } as Restored & Record<string, unknown>;
    ONES.forEach((key, at) => (restored[key] = values[at]));
    restored.reads = new Map(readKeys.map((key, at) => [key as string, readSeqs[at] as number]));
    return restored;
  }

  async commit(rows: readonly Row[]): Promise<void> {
    const transaction = this.database.transaction(STORES, "readwrite");
    const end = completed(transaction);
    try {
      this.put(transaction, rows);
    } catch (error) {
      // Otherwise the rows before the bad one would be kept.
      transaction.abort();
      await end.catch(() => undefined);
      throw error;
    }
    await end;
  }

  private put(transaction: IDBTransaction, rows: readonly Row[]): void {
    const put = (name: (typeof STORES)[number], key: IDBValidKey, value: unknown) => {
      const store = transaction.objectStore(name);
      if (value === undefined) store.delete(key);
      else store.put(value, key);
    };
    for (const row of rows) {
      if (isOne(row)) put("meta", row.kind, row.value);
      else if (row.kind === "outbox") put("outbox", row.row.local, row.row);
      else if (row.kind === "outboxDone") put("outbox", row.local, undefined);
      else if (row.kind === "conversation") put("conversations", nameOf(row.row.conversation), row.row);
      else if (row.kind === "read") put("reads", row.user, row.seq || undefined);
    }
    const { removed, messages } = fold(rows);
    const store = transaction.objectStore("messages");
    for (const { user, from, to } of removed) store.delete(IDBKeyRange.bound([user, from], [user, to]));
    for (const [user, changed] of messages) {
      const runs: Range[] = [];
      for (const seq of changed.keys()) insert(runs, seq, seq);
      // A run at once: asking for one message after the other takes as long as keeping them.
      for (const { from, to } of runs) {
        const kept = store.getAll(IDBKeyRange.bound([user, from], [user, to]));
        kept.onsuccess = () => {
          const known = new Map((kept.result as Entry[]).map((entry) => [entry.seq, entry]));
          for (let seq = from; seq <= to; seq++) {
            const entry = newer(changed.get(seq)!, known.get(seq));
            if (entry) store.put(entry, [user, seq]);
          }
        };
      }
    }
  }

  async messages(user: string, from: number, to: number, limit: number): Promise<Entry[]> {
    if (from > to || limit <= 0) return [];
    const store = this.database.transaction("messages", "readonly").objectStore("messages");
    const request = store.openCursor(IDBKeyRange.bound([user, from], [user, to]), "prev");
    const entries: Entry[] = [];
    return new Promise((resolve, reject) => {
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const cursor = request.result;
        if (cursor) entries.push(cursor.value as Entry);
        if (cursor && entries.length < limit) cursor.continue();
        else resolve(entries.reverse());
      };
    });
  }

  async drafts(): Promise<Map<string, string>> {
    const store = this.database.transaction("drafts", "readonly").objectStore("drafts");
    const [users, texts] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
    return new Map(users.map((user, at) => [user as string, texts[at] as string]));
  }

  async setDraft(user: string, text: string): Promise<void> {
    const transaction = this.database.transaction("drafts", "readwrite");
    const store = transaction.objectStore("drafts");
    if (text) store.put(text, user);
    else store.delete(user);
    await completed(transaction);
  }

  async wipe(): Promise<void> {
    const transaction = this.database.transaction(STORES, "readwrite");
    for (const name of STORES) transaction.objectStore(name).clear();
    await completed(transaction);
  }

  close(): void {
    this.database.onclose = null;
    this.database.close();
  }
}

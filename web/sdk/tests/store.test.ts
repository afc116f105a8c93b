/** One suite for both stores: what was kept is what comes back. */
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { describe, expect, test } from "vitest";
import type { OutboxRow, Row } from "../src/core/rows";
import { openIndexedStore } from "../src/shell/indexed";
import { MemoryStore, type Store } from "../src/shell/store";
import { decode, utf8 } from "../src/wire/codec";
import { Conversation, Entry, SendRequest } from "../src/wire/proto";

(globalThis as { IDBKeyRange?: unknown }).IDBKeyRange ??= IDBKeyRange;

const stores: [string, () => Promise<Store>][] = [
  ["memory", async () => new MemoryStore()],
  ["IndexedDB", () => openIndexedStore(new IDBFactory(), "test", () => undefined)],
];

const message = (user: string, seq: number, text: string, changedSeq = 0): Row => {
  const entry = { ...decode(Entry, new Uint8Array(0)), seq, body: utf8(text), changedSeq };
  return { kind: "message", user, entry };
};
const deleted = (user: string, upToSeq: number, ...seqs: number[]): Row => ({ kind: "deleted", user, deletion: { upToSeq, seqs } });
const outgoing = (local: number): OutboxRow => {
  const request = { ...decode(SendRequest, new Uint8Array(0)), user: "b", body: utf8("x") };
  return { local, writtenMs: 7, request, state: { kind: "queued" } };
};

async function texts(store: Store, user: string, from = 1, to = 1e9, limit = 100): Promise<string[]> {
  return (await store.messages(user, from, to, limit)).map((entry) => new TextDecoder().decode(entry.body));
}

for (const [name, open] of stores) {
  describe(name, () => {
    test("an empty store gives nothing back", async () => {
      const store = await open();
      const restored = await store.load();
      expect(restored).toMatchObject({ outbox: [], conversations: [], reads: new Map() });
      expect([restored.device, restored.user, restored.session, restored.inbox, restored.list]).toEqual(Array(5).fill(undefined));
    });

    test("every kind of row comes back as it was last", async () => {
      const store = await open();
      const session = { user: "a", ticket: utf8("t"), secret: new Uint8Array(32).fill(1), epoch: 3 };
      const row = (unread: number) => ({
        conversation: { ...decode(Conversation, new Uint8Array(0)), user: "b", unread },
        ...{ countedInboxSeq: 1, ownSeq: 2, covered: [{ from: 1, to: 4 }] },
      });
      await store.commit([
        { kind: "device", value: utf8("d") },
        { kind: "user", value: "a" },
        { kind: "session", value: session },
        { kind: "inbox", value: { cursor: 8, logEpoch: 1 } },
        { kind: "inbox", value: { cursor: 9, logEpoch: 1 } },
        { kind: "outbox", row: outgoing(1) },
        { kind: "outbox", row: outgoing(2) },
        { kind: "conversation", row: row(1) },
        { kind: "read", user: "b", seq: 5 },
        { kind: "read", user: "c", seq: 6 },
        { kind: "list", value: 0 },
      ]);
      await store.commit([
        { kind: "outboxDone", local: 1 },
        { kind: "conversation", row: row(2) },
        { kind: "read", user: "c", seq: 0 },
      ]);
      expect(await store.load()).toEqual({
        ...{ device: utf8("d"), user: "a", session, inbox: { cursor: 9, logEpoch: 1 }, list: 0 },
        ...{ outbox: [outgoing(2)], conversations: [row(2)], reads: new Map([["b", 5]]) },
      });
      await store.commit([{ kind: "session", value: undefined }, { kind: "list", value: undefined }]);
      expect(await store.load()).toMatchObject({ session: undefined, list: undefined });
    });

    test("a message is replaced by a newer state of it, in whatever order they come", async () => {
      const store = await open();
      await store.commit([message("b", 1, "as edited", 5), message("b", 1, "as sent"), message("b", 2, "old"), message("b", 2, "new", 6)]);
      expect(await texts(store, "b")).toEqual(["as edited", "new"]);
      await store.commit([message("b", 1, "as sent"), message("b", 2, "newest", 7)]);
      expect(await texts(store, "b")).toEqual(["as edited", "newest"]);
    });

    test("a deletion takes what is there and what came before it in the same batch, not what comes after", async () => {
      const store = await open();
      await store.commit([message("b", 1, "1"), message("b", 2, "2"), message("c", 1, "other")]);
      await store.commit([message("b", 3, "3"), message("b", 4, "4"), deleted("b", 1, 3), message("b", 5, "5")]);
      expect(await texts(store, "b")).toEqual(["2", "4", "5"]);
      await store.commit([deleted("b", 0, 9), message("b", 9, "9")]);
      expect(await texts(store, "b")).toEqual(["2", "4", "5", "9"]);
      expect(await texts(store, "c")).toEqual(["other"]);
    });

    test("what is absent is taken, and nothing beside it", async () => {
      const store = await open();
      const absent = (from: number, to: number): Row => ({ kind: "absent", user: "b", from, to });
      await store.commit([...[1, 2, 3, 4, 5].map((seq) => message("b", seq, String(seq))), message("c", 3, "other")]);
      await store.commit([message("b", 6, "6"), absent(2, 3), absent(6, 9), message("b", 8, "8")]);
      expect(await texts(store, "b")).toEqual(["1", "4", "5", "8"]);
      expect(await texts(store, "c")).toEqual(["other"]);
    });

    test("of many at once, each is compared with what is kept of it", async () => {
      const store = await open();
      await store.commit([message("b", 2, "2 as edited", 9), message("b", 4, "4 as sent"), message("c", 3, "of another")]);
      const batch = [7, 1, 2, 3, 4, 5].map((seq) => message("b", seq, String(seq), seq === 4 ? 8 : 0));
      await store.commit([...batch, message("b", 5, "5 as edited", 10), message("b", 20, "20")]);
      expect(await texts(store, "b")).toEqual(["1", "2 as edited", "3", "4", "5 as edited", "7", "20"]);
      expect(await texts(store, "c")).toEqual(["of another"]);
    });

    test("messages are the newest of a range, ascending", async () => {
      const store = await open();
      await store.commit(Array.from({ length: 12 }, (_, at) => message("b", at + 1, String(at + 1))));
      expect(await texts(store, "b", 3, 10, 3)).toEqual(["8", "9", "10"]);
      expect(await texts(store, "b", 11, 99, 9)).toEqual(["11", "12"]);
      expect(await texts(store, "b", 5, 4, 9)).toEqual([]);
      expect(await texts(store, "nobody")).toEqual([]);
    });

    test("drafts are kept until they are empty, and wiping forgets all", async () => {
      const store = await open();
      await store.setDraft("b", "half");
      await store.setDraft("c", "x");
      await store.setDraft("c", "");
      expect(await store.drafts()).toEqual(new Map([["b", "half"]]));
      await store.commit([{ kind: "user", value: "a" }, message("b", 1, "1")]);
      await store.wipe();
      expect((await store.drafts()).size).toBe(0);
      expect((await store.load()).user).toBeUndefined();
      expect(await texts(store, "b")).toEqual([]);
    });
  });
}

test("a transaction that fails leaves nothing behind", async () => {
  const store = await openIndexedStore(new IDBFactory(), "test", () => undefined);
  const broken = { kind: "outbox", row: { ...outgoing(1), local: Number.NaN } } as Row;
  await expect(store.commit([{ kind: "user", value: "a" }, message("b", 1, "1"), broken])).rejects.toBeDefined();
  expect((await store.load()).user).toBeUndefined();
  expect(await store.messages("b", 1, 9, 9)).toEqual([]);
});

test("a database that is deleted tells so and lets go", async () => {
  const factory = new IDBFactory();
  const lost = new Promise<void>((resolve) => void openIndexedStore(factory, "test", resolve));
  await new Promise((resolve) => setImmediate(resolve));
  const gone = new Promise((resolve) => (factory.deleteDatabase("test").onsuccess = resolve));
  await Promise.all([lost, gone]);
});

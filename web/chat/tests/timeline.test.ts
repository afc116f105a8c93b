import type { Conversation } from "@hongyan/sdk";
import { describe, expect, test } from "vitest";
import { DemoClient } from "../src/demo/client.js";
import { ARCHIVE } from "../src/demo/script.js";
import { SEGMENT_MESSAGES_MAX } from "../src/model/segment.js";
import { Timeline, UNSEEN_MAX } from "../src/model/timeline.js";

async function opened(user: string, change: Partial<Conversation> = {}) {
  const client = new DemoClient({ paceMs: 0 });
  await client.start();
  const known = (await client.conversations()).find((conversation) => conversation.user === user);
  const timeline = new Timeline(client, user, () => known && { ...known, ...change });
  client.on("message", (message) => message.user === user && timeline.take(message, true));
  await timeline.open();
  return { client, timeline, segment: () => timeline.view.get().segment };
}

describe("a timeline", () => {
  test("begins at the end if everything is read", async () => {
    const { timeline, segment } = await opened(ARCHIVE.user);
    expect(timeline.view.get().start).toEqual({ at: "end" });
    expect(segment()).toMatchObject({ to: ARCHIVE.count, atHead: true });
  });

  test("begins at the first unread message, however far up it is", async () => {
    const { timeline, segment } = await opened(ARCHIVE.user, { readSeq: 50_000, unread: 30_000 });
    const { newFrom, start } = timeline.view.get();
    expect(newFrom).toBeGreaterThan(50_000);
    expect(newFrom).toBeLessThan(50_010);
    expect(start).toEqual({ at: "seq", seq: newFrom, mark: false });
    expect(segment().atHead).toBe(false);
  });

  test("walks from end to beginning and back without a hole, and stays small", async () => {
    const { timeline, segment } = await opened(ARCHIVE.user, { headSeq: ARCHIVE.count });
    await timeline.jump(4_000);
    while (segment().from > 1) await timeline.older();
    expect(segment().messages.length).toBeLessThanOrEqual(SEGMENT_MESSAGES_MAX);
    while (segment().to < 6_000) {
      await timeline.newer();
      const { messages } = segment();
      expect(messages.every((message, index) => index === 0 || message.seq === (messages[index - 1]?.seq ?? 0) + 1)).toBe(true);
    }
    expect(segment().messages.length).toBeLessThanOrEqual(SEGMENT_MESSAGES_MAX);
  });

  test("reaches the head again by loading newer pages", async () => {
    const { timeline, segment } = await opened(ARCHIVE.user);
    await timeline.jump(ARCHIVE.count - 200);
    expect(segment().atHead).toBe(false);
    for (let turn = 0; turn < 10 && !segment().atHead; turn += 1) await timeline.newer();
    expect(segment()).toMatchObject({ to: ARCHIVE.count, atHead: true });
  });

  test("gives a message the same key before and after it is numbered", async () => {
    const { client, timeline, segment } = await opened("jonas");
    const sent = await client.send("jonas", "hello");
    const before = timeline.key(sent);
    await Promise.resolve();
    await new Promise((done) => setTimeout(done));
    const last = segment().messages.at(-1);
    expect(last?.text).toBe("hello");
    expect(last?.seq).toBeDefined();
    expect(last && timeline.key(last)).toBe(before);
  });

  test("marks where new messages begin if nobody looks", async () => {
    const { client, timeline } = await opened("jonas");
    client.receive("jonas", "seen");
    expect(timeline.view.get().newFrom).toBeUndefined();
    const unseen = new Timeline(client, "jonas", () => undefined);
    await unseen.open();
    client.on("message", (message) => unseen.take(message, false));
    client.receive("jonas", "not seen");
    client.receive("jonas", "nor this");
    expect(unseen.view.get().newFrom).toBe(4);
  });

  /** So many messages come in one by one, and the list is drawn after each of them. */
  function follow(client: DemoClient, timeline: Timeline, count: number, atEnd: boolean): void {
    for (let number = 1; number <= count; number += 1) {
      client.receive("jonas", String(number));
      timeline.reads(atEnd);
    }
  }

  test("stays small when messages come in, and keeps its end for whoever reads that", async () => {
    const { client, timeline, segment } = await opened("jonas");
    follow(client, timeline, 2 * SEGMENT_MESSAGES_MAX, true);
    const { messages, from, to, atHead } = segment();
    expect(messages.length).toBe(SEGMENT_MESSAGES_MAX);
    expect(messages.at(-1)).toMatchObject({ text: String(2 * SEGMENT_MESSAGES_MAX), seq: to });
    expect(messages[0]?.seq).toBe(from);
    expect(atHead).toBe(true);
    while (segment().from > 1) await timeline.older();
    expect(segment().messages[0]?.seq, "what was dropped is loaded again").toBe(1);
  });

  test("keeps what somebody reads further up when messages come in", async () => {
    const { client, timeline, segment } = await opened("jonas");
    const { from } = segment();
    timeline.reads(false);
    follow(client, timeline, 2 * SEGMENT_MESSAGES_MAX, false);
    expect(segment()).toMatchObject({ from, atHead: false });
    expect(segment().messages.length).toBe(SEGMENT_MESSAGES_MAX);
    const view = timeline.view.get();
    client.receive("jonas", "far below");
    expect(timeline.view.get(), "nothing to draw").toBe(view);
  });

  test("shows an own message wherever somebody was reading", async () => {
    const { client, timeline, segment } = await opened("jonas");
    follow(client, timeline, SEGMENT_MESSAGES_MAX - segment().messages.length, true);
    timeline.reads(false);
    const sent = await client.send("jonas", "my own");
    expect(segment().messages.findLast((message) => message.own)).toMatchObject({ text: "my own", local: sent.local });
    expect(segment().messages.length).toBe(SEGMENT_MESSAGES_MAX);
  });

  test("stays where it is when more comes at once than anybody reads, and says where that begins", async () => {
    const { client, timeline, segment } = await opened("jonas", { headSeq: 3 + 10 * UNSEEN_MAX });
    const { to } = segment();
    timeline.reads(true);
    for (let number = 1; number <= 10 * UNSEEN_MAX; number += 1) client.receive("jonas", String(number));
    expect(segment()).toMatchObject({ from: 1, to: to + UNSEEN_MAX, atHead: false });
    expect(timeline.view.get().newFrom).toBe(to + 1);
    for (let turn = 0; turn < 100 && !segment().atHead; turn += 1) await timeline.newer();
    expect(segment().messages.at(-1)).toMatchObject({ text: String(10 * UNSEEN_MAX), seq: to + 10 * UNSEEN_MAX });
  });

  test("waits before it asks again for what could not be had", async () => {
    const { client, timeline } = await opened(ARCHIVE.user);
    let asked = 0;
    client.history = () => {
      asked += 1;
      return Promise.reject("offline");
    };
    await timeline.older();
    await timeline.older();
    expect(asked).toBe(1);
    expect(timeline.view.get().loadingOlder).toBe(false);
  });
});

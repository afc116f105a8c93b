/** What happens to messages when nothing is lost but much goes on: several devices, marks, changes, refusals, resets. */
import { expect, test } from "vitest";
import { Core } from "../src/core/core";
import { utf8 } from "../src/wire/codec";
import { ANSWER, command, NOTIFY, Operation, REQUEST } from "../src/wire/command";
import * as proto from "../src/wire/proto";
import { refusal } from "./stage/server";
import { type Actor, World } from "./stage/world";

function play(...names: string[]): { world: World; a: Actor; b: Actor } {
  const world = new World(...names);
  world.settle();
  const [a, b] = world.actors as [Actor, Actor];
  return { world, a, b };
}

const later = (retryAfterMs = 0) => refusal(proto.RefusalCode.TRY_LATER, { retryable: true, retryAfterMs });
const marks = (actor: Actor, user: string) => [actor.conversation(user).unread, actor.conversation(user).readSeq];
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => String(from + at));

test("own messages reach own other devices once", () => {
  const { world, a } = play("a", "b");
  const phone = world.add("a");
  world.settle();
  world.send(a, "b", "from the desk");
  world.settle();
  world.send(phone, "b", "from the phone");
  world.settle();
  world.send(a, "b", "from the desk again");
  world.pass(1_000);
  for (const device of [a, phone]) expect(device.screen("b")).toEqual(["from the desk", "from the phone", "from the desk again"]);
  expect(a.heard()).toEqual(["from the phone"]);
  expect(phone.heard()).toEqual(["from the desk", "from the desk again"]);
  expect(a.conversation("b").unread, "own messages are never unread").toBe(0);
});

test("a message found in the inbox settles the outbox", () => {
  const { world, a } = play("a", "b");
  // Stored, but the answer never comes and the link is cut: the resume's page tells.
  world.server.script = (_, packet) => (packet === command(ANSWER, Operation.SEND) ? "cutBefore" : "pass");
  world.send(a, "b", "hello");
  world.pass(3_000);
  expect(a.stored()).toBe(1);
  expect(a.heard(), "it is on the screen already").toEqual([]);
  expect(a.screen("b")).toEqual(["hello"]);
  expect(a.outbox()).toEqual([]);
});

test("a stored message above a gap is not shown again after a restart", () => {
  const { world, a } = play("a", "b");
  world.server.script = (_, packet) => (packet === command(NOTIFY, Operation.MESSAGE) ? "lose" : "pass");
  world.server.say("b", "a", "lost push");
  world.send(a, "b", "mine");
  world.settle();
  expect(a.stored(), "the answer settles it although an entry below is missing").toBe(1);
  expect(a.core.inbox.cursor).toBe(0);
  world.restart(a);
  world.pass(3_000);
  expect(a.heard()).toEqual(["lost push"]);
  expect(a.screen("b")).toEqual(["lost push", "mine"]);
  expect(a.outbox()).toEqual([]);
});

test("unread is exact across devices and marks never go down", () => {
  const { world, a, b } = play("a", "b");
  const phone = world.add("b");
  world.settle();
  for (const number of numbers(0, 9)) world.send(a, "b", number);
  world.settle();
  expect(b.conversation("a").unread).toBe(10);
  b.core.markRead(world.now, "a", 4);
  world.settle();
  for (const device of [b, phone]) expect(marks(device, "a")).toEqual([6, 4]);
  phone.core.markRead(world.now, "a", 2);
  world.settle();
  expect(phone.conversation("a").readSeq).toBe(4);
  world.send(a, "b", "10");
  world.settle();
  phone.core.markRead(world.now, "a", 11);
  world.settle();
  for (const device of [b, phone]) expect(device.conversation("a").unread).toBe(0);
  expect(a.receipt("b")).toEqual([11, 11]);
  expect(world.server.unread("b", "a")).toBe(0);
});

test("a mark made offline survives a restart and arrives", () => {
  const { world, a, b } = play("a", "b");
  world.send(a, "b", "hello");
  world.settle();
  b.dialsFail = true;
  world.server.cutAll();
  world.pass(3_000);
  b.core.markRead(world.now, "a", 1);
  world.settle();
  expect(b.conversation("a").unread).toBe(0);
  world.restart(b);
  b.dialsFail = false;
  world.pass(5_000);
  expect(world.server.unread("b", "a")).toBe(0);
  expect(a.receipt("b")).toEqual([1, 1]);
  expect(b.store.restored().reads.size).toBe(0);
});

test("a reply to one of many unread messages leaves the right rest after a restart", () => {
  const { world, a, b } = play("a", "b");
  const phone = world.add("b");
  world.settle();
  for (const number of numbers(0, 4)) world.send(a, "b", number);
  world.settle();
  const fresh = world.add("b");
  world.pass(1_000);
  // It knows how many are unread, not which; and no entry of the inbox tells what remains.
  world.restart(phone);
  world.pass(1_000);
  world.send(b, "a", "seen three", 3);
  world.settle();
  for (const device of [b, phone, fresh]) expect(marks(device, "a")).toEqual([2, 3]);
  // The answer is lost, and so is the memory of having asked.
  world.restart(phone);
  world.pass(1_000);
  world.server.script = (_, packet) => (packet === command(ANSWER, Operation.MARK_READ) ? "cutBefore" : "pass");
  world.send(b, "a", "seen four", 4);
  world.settle();
  world.restart(phone);
  world.server.script = () => "pass";
  world.send(a, "b", "one more");
  world.pass(5_000);
  for (const device of [b, phone, fresh]) expect(marks(device, "a")).toEqual([2, 4]);
  expect(world.server.unread("b", "a")).toBe(2);
});

test("a new device gets the list, the unread and everything kept", () => {
  const { world, a } = play("a", "b");
  for (const number of numbers(0, 19)) world.send(a, "b", number);
  world.settle();
  const fresh = world.add("b");
  world.pass(1_000);
  expect(fresh.screen("a")).toHaveLength(20);
  expect(fresh.conversation("a").unread, "counted once, although the list had counted what the inbox brought").toBe(20);
  expect(fresh.store.restored().list).toBeUndefined();
});

test("a new device of a busy user starts with the list instead of a long inbox", () => {
  const { world } = play("a", "b");
  for (const number of numbers(1, 1_500)) world.server.say("a", "b", number);
  const fresh = world.add("b");
  world.settle();
  expect(fresh.heard()).toEqual([]);
  expect(fresh.core.inbox.cursor).toBe(1_500);
  expect(world.server.cursor("b", fresh.config.deviceId)).toBe(1_500);
  world.server.say("a", "b", "and one more");
  world.settle();
  expect(fresh.heard()).toEqual(["and one more"]);
  expect(fresh.conversation("a").unread).toBe(1_501);
});

test("edits, recalls and reactions reach both sides and their stores", () => {
  const { world, a, b } = play("a", "b");
  world.send(a, "b", "oops");
  world.settle();
  const clientRequestId = new Uint8Array(16);
  world.request(a, 1, { kind: "edit", user: "b", seq: 1, clientRequestId, body: utf8("better") });
  world.request(b, 1, { kind: "react", user: "a", seq: 1, clientRequestId, name: "👍", remove: false });
  world.pass(1_000);
  for (const [actor, other] of [[a, "b"], [b, "a"]] as const) {
    expect(actor.screen(other)).toEqual(["better"]);
    expect(actor.store.entriesOf(other, 1, 1, 1)[0]).toMatchObject({ edited: true, changedSeq: 3, reactions: [{ name: "👍" }] });
    expect(actor.conversation(other).unread, "changes count for nothing").toBe(other === "a" ? 1 : 0);
  }
  world.request(a, 2, { kind: "recall", user: "b", seq: 1, clientRequestId });
  world.pass(1_000);
  for (const [actor, other] of [[a, "b"], [b, "a"]] as const) {
    expect(actor.screen(other)).toEqual([""]);
    expect(actor.conversation(other).last).toMatchObject({ recalled: true });
    expect(actor.count("changed")).toBe(3);
  }
});

test("a deletion hides on all own devices only", () => {
  const { world, a, b } = play("a", "b");
  const phone = world.add("b");
  world.settle();
  for (const number of numbers(0, 3)) world.send(a, "b", number);
  world.settle();
  world.request(b, 1, { kind: "delete", user: "a", deletion: { upToSeq: 2, seqs: [4] } });
  world.pass(1_000);
  for (const device of [b, phone]) expect(device.screen("a")).toEqual(["2"]);
  expect(a.screen("b")).toHaveLength(4);
});

test("a block is told at once and survives", () => {
  const { world, a } = play("a", "b");
  world.send(a, "b", "hello");
  world.settle();
  world.request(a, 1, { kind: "block", user: "b", blocked: true });
  world.settle();
  expect(a.conversation("b").blocked).toBe(true);
  world.restart(a);
  expect(a.conversation("b").blocked).toBe(true);
});

test("an inbox that was trimmed resets, and the list and history tell the rest", () => {
  const { world, a, b } = play("a", "b");
  b.dialsFail = true;
  world.server.cutAll();
  world.pass(2_000);
  for (const number of numbers(0, 29)) world.server.say("a", "b", number);
  world.server.trimInbox("b");
  b.dialsFail = false;
  world.pass(120_000);
  expect(b.count("reset")).toBe(1);
  expect(b.core.inbox.cursor).toBe(30);
  expect(b.conversation("a").unread).toBe(30);
  // What lies between is read by history, and is known to be complete then.
  world.request(b, 5, { kind: "history", user: "a", limit: 100 });
  world.settle();
  expect(b.screen("a")).toEqual(numbers(0, 29));
  expect(b.core.conversations.row("a")!.covered).toEqual([{ from: 1, to: 30 }]);
  world.send(a, "b", "30");
  world.settle();
  expect(b.heard()).toEqual(["30"]);
  expect(b.conversation("a").unread).toBe(31);
  expect(b.core.conversations.row("a")!.covered).toEqual([{ from: 1, to: 31 }]);
});

test("a restored server of a new log epoch resets its clients", () => {
  const { world, a, b } = play("a", "b");
  world.send(a, "b", "before");
  world.settle();
  world.server.logEpoch = 2;
  world.pass(90_000);
  for (const actor of [a, b]) {
    expect(actor.count("reset")).toBe(1);
    expect(actor.store.restored().inbox!.logEpoch).toBe(2);
  }
  world.send(a, "b", "after");
  world.settle();
  expect(b.screen("a")).toEqual(["before", "after"]);
});

test("a stored message above a gap leaves the outbox by a reset", () => {
  const { world, a } = play("a", "b");
  world.server.script = (_, packet) => (packet === command(NOTIFY, Operation.MESSAGE) ? "lose" : "pass");
  world.server.say("b", "a", "lost push");
  world.send(a, "b", "mine");
  world.settle();
  expect(a.outbox()).toMatchObject([{ state: { kind: "stored", inboxSeq: 2 } }]);
  world.server.logEpoch = 2;
  world.pass(1_000);
  expect(a.count("reset")).toBe(1);
  expect(a.outbox()).toEqual([]);
});

test("a refused message fails at once, the next one goes on, and it may be tried again after a restart", () => {
  const { world, a, b } = play("a", "b");
  world.server.refuseSends = [refusal(proto.RefusalCode.NOT_ALLOWED)];
  const local = world.send(a, "b", "no");
  world.send(a, "b", "yes");
  world.settle();
  expect(a.outbox()[0]!.state).toMatchObject({ kind: "failed", refusal: { code: proto.RefusalCode.NOT_ALLOWED } });
  expect(b.heard()).toEqual(["yes"]);
  world.restart(a);
  world.pass(1_000);
  expect(a.failed()).toBe(1);
  expect(a.core.resend(world.now, local)).toBe(true);
  world.settle();
  expect(b.heard()).toEqual(["yes", "no"]);
  expect(a.core.resend(world.now, local)).toBe(false);
});

test("a failed message can be forgotten", () => {
  const { world, a } = play("a", "b");
  world.server.refuseSends = [refusal(proto.RefusalCode.NOT_ALLOWED)];
  const local = world.send(a, "b", "no");
  world.settle();
  expect(a.core.discard(local)).toBe(true);
  world.settle();
  expect(a.outbox()).toEqual([]);
});

test("messages refused for now keep their order, and hold up nobody else", () => {
  const world = new World("a", "b", "c");
  world.settle();
  const [a, b, c] = world.actors as [Actor, Actor, Actor];
  world.server.refuseSends = [later(2_000), later(2_000), later(2_000)];
  for (const number of numbers(0, 2)) world.send(a, "b", number);
  world.settle();
  world.send(a, "b", "3");
  world.send(a, "c", "another conversation does not wait");
  world.settle();
  expect(c.heard()).toHaveLength(1);
  expect(b.heard()).toEqual([]);
  world.pass(3_000);
  expect(b.heard()).toEqual(["0", "1", "2", "3"]);
  expect(world.server.sendsReceived).toBe(3 + 1 + 4);
});

test("a new message does not overtake those that will be refused with an earlier one", () => {
  const { world, a, b } = play("a", "b");
  world.server.refuseSends = [later(500), later(500), later(500)];
  // The answer to the first is there at once, those to the others come only with a packet after them.
  let answers = 0;
  world.server.script = (_, packet) => {
    if (packet !== command(ANSWER, Operation.SEND)) return "pass";
    answers += 1;
    return answers === 2 || answers === 3 ? "late" : "pass";
  };
  for (const number of numbers(0, 2)) world.send(a, "b", number);
  world.settle();
  world.send(a, "b", "3");
  world.pass(400);
  expect(world.server.sendsReceived, "nothing new flies before all is known of what flew").toBe(3);
  world.pass(20_000);
  expect(b.heard()).toEqual(["0", "1", "2", "3"]);
});

test("a message that is given up leaves its place in the window", () => {
  const { world, a, b } = play("a", "b");
  world.server.refuseSends = Array.from({ length: 5 }, () => later());
  world.send(a, "b", "given up");
  world.pass(60_000);
  expect(a.failed()).toBe(1);
  world.send(a, "b", "the next one");
  world.settle();
  expect(b.heard()).toEqual(["the next one"]);
});

test("a message without any answer fails after two minutes and can be sent again with the same id", () => {
  const { world, a, b } = play("a", "b");
  world.server.script = (_, packet) => (packet === command(1, Operation.SEND) ? "lose" : "pass");
  const local = world.send(a, "b", "hello");
  world.pass(200_000);
  expect(a.failed()).toBe(1);
  expect(a.outbox()[0]!.state).toEqual({ kind: "failed", refusal: undefined });
  world.server.script = () => "pass";
  a.core.resend(world.now, local);
  world.settle();
  expect(b.heard()).toEqual(["hello"]);
});

test("time without a link does not make a message fail", () => {
  const { world, a, b } = play("a", "b");
  a.dialsFail = true;
  world.server.cutAll();
  world.pass(1_000);
  world.send(a, "b", "patience");
  world.pass(3_600_000);
  expect(a.failed()).toBe(0);
  a.dialsFail = false;
  world.pass(60_000);
  expect(b.heard()).toEqual(["patience"]);
});

test("the window bounds what waits for an answer", () => {
  const { world, a } = play("a", "b");
  world.server.script = (_, packet) => (packet === command(ANSWER, Operation.SEND) ? "lose" : "pass");
  for (const number of numbers(1, 100)) world.send(a, "b", number);
  world.settle();
  expect(world.server.sendsReceived).toBe(64);
});

test("what breaks a limit is not queued, and a repeated call finds the row of the first", () => {
  const { world, a } = play("a");
  const send = (body: Uint8Array, user = "b", clientMessageId = new Uint8Array(16)) =>
    a.core.send(world.now, { user, clientMessageId, body }, 0);
  expect(send(new Uint8Array(0))).toBeUndefined();
  expect(send(new Uint8Array(16_385))).toBeUndefined();
  expect(send(utf8("x"), "")).toBeUndefined();
  expect(send(utf8("x"), "b", new Uint8Array(15))).toBeUndefined();
  const row = send(new Uint8Array(16_384).fill(65))!;
  expect(send(utf8("x"))!.local).toBe(row.local);
});

test("typing is told and never kept", () => {
  const { world, a, b } = play("a", "b");
  a.core.typing(world.now, "b", false);
  world.settle();
  expect(b.told.at(-1)).toEqual({ kind: "typing", user: "a", stopped: false, sender: "" });
  expect(b.screen("a")).toEqual([]);
});

test("a page that pushes have overtaken does not break the link", () => {
  const { world, b } = play("a", "b");
  world.server.script = (_, packet) => (packet === command(NOTIFY, Operation.MESSAGE) ? "lose" : "pass");
  for (const number of numbers(1, 10)) world.server.say("a", "b", number);
  // The first page, of seven, waits until the pushes of the same entries have passed.
  const held = new Set<number>();
  world.server.script = (line, packet) => {
    if (packet !== command(ANSWER, Operation.SYNC) || held.has(line)) return "pass";
    held.add(line);
    return "late";
  };
  world.server.hintAll();
  world.settle();
  expect(b.heard()).toEqual([]);
  const entries = numbers(1, 7).map((text, at) => ({ inboxSeq: at + 1, user: "a", entry: { seq: at + 1, body: utf8(text) } }));
  world.server.notify("b", Operation.MESSAGE, proto.MessageNotify, { entries });
  world.settle();
  expect(b.isLive).toBe(true);
  expect(b.heard()).toEqual(numbers(1, 10));
});

test("an older state of a row is not told after a newer one", () => {
  const { world, b } = play("a", "b");
  const row = (changedSeq: number) => ({ seq: 1, body: utf8("x"), changedSeq });
  const changed = (seq: number) => ({ inboxSeq: seq, user: "a", entry: { seq, change: { targetSeq: 1, target: row(seq) } } });
  // The server of the stage knows nothing of all this.
  world.server.script = (_, packet) => (packet >>> 16 === REQUEST ? "lose" : "pass");
  // Pushes tell a row as it was, and may have to wait for a page, which tells it as it is.
  const entries = [changed(2), changed(3), changed(4), { inboxSeq: 1, user: "a", entry: row(3) }];
  world.server.notify("b", Operation.MESSAGE, proto.MessageNotify, { entries });
  world.settle();
  const told = b.told.flatMap((event) => (event.kind === "message" || event.kind === "changed" ? [event.entry.changedSeq] : []));
  expect(told).toEqual([3, 3, 4]);
});

test("what was read while the sender was away is shown as read", () => {
  const { world, a, b } = play("a", "b");
  world.send(a, "b", "hello");
  world.settle();
  expect(a.receipt("b")).toEqual([1, 0]);
  a.dialsFail = true;
  world.server.cutAll();
  world.pass(5_000);
  b.core.markRead(world.now, "a", 1);
  world.settle();
  a.dialsFail = false;
  world.pass(60_000);
  expect(a.receipt("b")).toEqual([1, 1]);
});

test("people who never come do not hide the lost receipt of another", () => {
  const { world, a } = play("a", "zoe");
  for (const number of numbers(100, 219)) world.send(a, `away${number}`, "hello?");
  world.pass(25_000);
  world.server.script = (_, packet) => (packet === command(NOTIFY, Operation.RECEIPT) ? "lose" : "pass");
  world.send(a, "zoe", "hello");
  world.settle();
  expect(a.receipt("zoe")).toEqual([0, 0]);
  world.pass(200_000);
  expect(a.receipt("zoe")).toEqual([1, 0]);
});

test("a page of the list that is never answered is asked for again on the same link", () => {
  const { world, a } = play("a", "b");
  world.send(a, "b", "hello");
  world.settle();
  let lost = false;
  world.server.script = (_, packet) => {
    if (packet !== command(ANSWER, Operation.CONVERSATIONS) || lost) return "pass";
    lost = true;
    return "lose";
  };
  const fresh = world.add("b");
  world.settle();
  expect(fresh.store.restored().list).toBe(0);
  world.pass(13_000);
  expect(fresh.store.restored().list).toBeUndefined();
  expect(fresh.conversation("a").unread).toBe(1);
});

test("a store that was lost is filled again, and what was cached is asked for anew", () => {
  const { world, a, b } = play("a", "b");
  world.send(a, "b", "hello");
  world.server.refuseSends = [refusal(proto.RefusalCode.NOT_ALLOWED)];
  world.send(a, "b", "refused");
  world.settle();
  void a.store.wipe();
  a.core.storeLost(world.now);
  world.settle();
  expect(a.count("reset")).toBe(1);
  const kept = a.store.restored();
  expect(kept).toMatchObject({ user: "a", session: { user: "a" }, inbox: { cursor: a.core.inbox.cursor } });
  expect(kept.outbox.map((row) => row.state.kind)).toEqual(["failed"]);
  expect(new Core(a.config, kept).conversations.row("b")).toMatchObject({ covered: [], conversation: { headSeq: 1 } });
  world.restart(a);
  world.send(b, "a", "and on");
  world.pass(1_000);
  expect(a.heard()).toEqual(["and on"]);
});

/** The loss matrix of one message: every row that a client can see. As `crates/client/tests/client/loss.rs`. */
import { expect, test } from "vitest";
import { ANSWER, command, NOTIFY, Operation, REQUEST } from "../src/wire/command";
import type { Fate } from "./stage/server";
import { type Actor, World } from "./stage/world";

const SEND_R = command(REQUEST, Operation.SEND);
const SEND_A = command(ANSWER, Operation.SEND);
const MESSAGE_N = command(NOTIFY, Operation.MESSAGE);
const ACK_R = command(REQUEST, Operation.ACK);
const ACK_A = command(ANSWER, Operation.ACK);
const RECEIPT_N = command(NOTIFY, Operation.RECEIPT);

type Play = { world: World; a: Actor; b: Actor };

/** A and B, both live; from here on the first packets of these commands have the given fate. */
function stage(fate: Fate, ...commands: number[]): Play {
  const world = new World("a", "b");
  const [a, b] = world.actors as [Actor, Actor];
  world.pass(1000);
  expect(a.isLive && b.isLive).toBe(true);
  world.server.script = (_, packet) => {
    const at = commands.indexOf(packet);
    if (at < 0) return "pass";
    commands.splice(at, 1);
    return fate;
  };
  return { world, a, b };
}

/** Says one thing, lets time heal, and checks that everybody has it once, with its receipt. */
function oneMessageArrives({ world, a, b }: Play, patienceMs: number): World {
  world.send(a, "b", "你好");
  world.pass(patienceMs);
  expect(a.screen("b")).toEqual(["你好"]);
  expect(b.screen("a")).toEqual(["你好"]);
  expect(b.heard()).toEqual(["你好"]);
  expect(a.stored()).toBe(1);
  expect(a.outbox()).toEqual([]);
  expect(a.receipt("b")).toEqual([1, 0]);
  return world;
}

test("nothing lost takes no time", () => {
  const play = stage("pass");
  const world = oneMessageArrives(play, 0);
  expect(world.server.sendsReceived).toBe(1);
  expect(world.server.cursor("b", play.b.config.deviceId)).toBe(1);
});

test("a lost request is sent again", () => {
  expect(oneMessageArrives(stage("lose", SEND_R), 7_000).server.sendsReceived).toBe(1);
});

test("a lost answer is learned on the next connection without a second message", () => {
  const world = oneMessageArrives(stage("lose", SEND_A), 7_000);
  expect(world.server.sendsReceived, "the inbox tells it first").toBe(1);
  expect(world.server.texts("a", "b")).toHaveLength(1);
});

test("a lost push is healed by a hint", () => {
  const { world, a, b } = stage("lose", MESSAGE_N);
  world.send(a, "b", "你好");
  world.pass(100);
  expect(b.screen("a")).toEqual([]);
  world.server.hintAll();
  world.settle();
  expect(b.heard()).toEqual(["你好"]);
  expect(a.receipt("b")).toEqual([1, 0]);
});

test("a hint that overtakes a page is not forgotten", () => {
  const { world, a, b } = stage("late", command(ANSWER, Operation.SYNC));
  const { script } = world.server;
  world.server.script = (line, packet) => (packet === MESSAGE_N ? "lose" : script(line, packet));
  for (const text of ["one", "two"]) {
    world.send(a, "b", text);
    world.pass(100);
    world.server.hintAll();
    world.pass(100);
  }
  expect(b.heard()).toEqual(["one", "two"]);
});

test("what is told while a page that skips entries is under way is not forgotten", () => {
  for (const told of ["pushed", "hinted"]) {
    const { world, a, b } = stage("late", command(ANSWER, Operation.SYNC));
    const { script } = world.server;
    let lost = true;
    world.server.script = (line, packet) => (packet === MESSAGE_N && lost ? "lose" : script(line, packet));
    world.send(a, "b", "one");
    world.pass(100);
    world.server.trimInbox("b");
    world.server.hintAll();
    world.pass(100);
    lost = told === "hinted";
    world.send(a, "b", "two");
    world.pass(100);
    if (lost) world.server.hintAll();
    world.pass(1000);
    expect(b.count("reset"), told).toBe(1);
    expect(b.heard(), told).toEqual(["two"]);
  }
});

/** A has said three things to B, who has two devices. From here on answers of this kind are late. */
function threeSaid(operation: number): Play & { other: Actor } {
  const world = new World("a", "b", "b");
  const [a, b, other] = world.actors as [Actor, Actor, Actor];
  world.pass(1000);
  for (const text of ["one", "two", "three"]) {
    world.send(a, "b", text);
    world.pass(100);
  }
  world.server.script = (_, packet) => (packet === command(ANSWER, operation) ? "late" : "pass");
  return { world, a, b, other };
}

test("a page of history brings nothing back that was deleted while it was under way", () => {
  for (const [deletion, rest] of [
    [{ upToSeq: 0, seqs: [2] }, ["one", "three"]],
    [{ upToSeq: 2, seqs: [] }, ["three"]],
  ] as const) {
    const { world, b, other } = threeSaid(Operation.HISTORY);
    world.request(b, 5, { kind: "history", user: "a", limit: 100 });
    world.settle();
    world.request(other, 6, { kind: "delete", user: "a", deletion: { ...deletion, seqs: [...deletion.seqs] } });
    world.pass(1000);
    expect([b.screen("a"), other.screen("a")]).toEqual([rest, rest]);
    world.restart(b);
    world.pass(1000);
    expect(b.screen("a")).toEqual(rest);
  }
});

test("what was deleted while a reset hid it leaves the list and, with a page, the store", () => {
  const world = new World("a", "b", "b");
  const [a, b, other] = world.actors as [Actor, Actor, Actor];
  world.pass(1000);
  for (const text of ["one", "two", "three", "four"]) {
    world.send(a, "b", text);
    world.pass(100);
  }
  // So that the list has entries that are no messages.
  world.request(a, 5, { kind: "react", user: "b", seq: 3, clientRequestId: new Uint8Array(16), name: "ok", remove: false });
  world.pass(100);
  b.dialsFail = true;
  world.server.close(b.line!);
  b.line = undefined;
  b.core.disconnected(world.now);
  world.request(other, 6, { kind: "delete", user: "a", deletion: { upToSeq: 0, seqs: [2, 4] } });
  world.pass(500);
  world.server.trimInbox("b");
  b.dialsFail = false;
  world.pass(120_000);
  expect(b.count("reset")).toBe(1);
  expect(b.conversation("a").last?.seq).toBe(3);
  world.request(b, 7, { kind: "history", user: "a", beforeSeq: 0, limit: 100 });
  world.pass(1000);
  expect(b.screen("a")).toEqual(["one", "three"]);
  world.request(other, 8, { kind: "delete", user: "a", deletion: { upToSeq: 4, seqs: [] } });
  world.pass(100);
  b.core.conversations.wantList();
  b.core.conversations.pump(world.now);
  world.pass(100);
  expect(b.conversation("a").last).toBeUndefined();
});

test("a page of the list brings back nothing that was deleted or recalled while it was under way", () => {
  for (const act of ["deleted elsewhere", "deleted here", "recalled", "recalled before it was known"]) {
    const { world, a, b, other } = threeSaid(Operation.CONVERSATIONS);
    if (act === "recalled before it was known") delete b.conversation("a").last;
    b.core.conversations.wantList();
    b.core.conversations.pump(world.now);
    world.settle();
    const deletion = { upToSeq: 0, seqs: [3] };
    if (act === "deleted elsewhere") world.request(other, 6, { kind: "delete", user: "a", deletion });
    else if (act === "deleted here") world.request(b, 6, { kind: "delete", user: "a", deletion });
    else world.request(a, 6, { kind: "recall", user: "b", seq: 3, clientRequestId: new Uint8Array(16) });
    world.pass(1000);
    expect(b.core.conversations["asked"], act).toBe(false);
    const { last } = b.conversation("a");
    if (act.startsWith("deleted")) expect(last?.seq, act).not.toBe(3);
    else expect(last, act).toMatchObject({ seq: 3, recalled: true });
  }
});

test("a lost push is healed by the heartbeat", () => void oneMessageArrives(stage("lose", MESSAGE_N), 61_000));

test("a lost push is healed by the next one, and nothing is shown above a gap", () => {
  const { world, a, b } = stage("lose", MESSAGE_N);
  world.send(a, "b", "one");
  world.settle();
  world.send(a, "b", "two");
  world.pass(299);
  expect(b.heard()).toEqual([]);
  world.pass(2);
  expect(b.heard()).toEqual(["one", "two"]);
});

test("a late push heals without asking", () => {
  const { world, a, b } = stage("late", MESSAGE_N);
  const { script } = world.server;
  let asked = 0;
  world.server.script = (line, packet) => {
    if (packet === command(REQUEST, Operation.SYNC)) asked++;
    return script(line, packet);
  };
  world.send(a, "b", "one");
  world.send(a, "b", "two");
  world.pass(1000);
  expect(b.heard()).toEqual(["one", "two"]);
  expect(asked).toBe(0);
});

test("a lost ack is repeated", () => void oneMessageArrives(stage("lose", ACK_R), 6_000));
test("a lost answer to an ack is idempotent", () => void oneMessageArrives(stage("lose", ACK_A), 6_000));
// The heartbeat comes a minute after the lazy acknowledgement of the own message.
test("a lost receipt is asked for", () => void oneMessageArrives(stage("lose", RECEIPT_N), 90_000));
test("a repeated push is shown once", () => void oneMessageArrives(stage("twice", MESSAGE_N), 0));
test("a repeated request is one message", () => {
  expect(oneMessageArrives(stage("twice", SEND_R), 0).server.texts("a", "b")).toHaveLength(1);
});

test("a server that dies before or after storing is asked again", () => {
  for (const fate of ["cutBefore", "cutAfter"] as const) {
    const world = oneMessageArrives(stage(fate, SEND_R), 3_000);
    expect(world.server.texts("a", "b")).toHaveLength(1);
    expect(world.server.resumes, "the session goes on").toBeGreaterThan(0);
    expect(world.server.logins, "nobody logs in anew").toBe(2);
  }
});

test("a receiver that dies before keeping gets it again", () => {
  const play = stage("pass");
  play.b.dieBeforeKeepingMessages = true;
  oneMessageArrives(play, 1000);
  expect(play.b.died).toBe(true);
});

test("an offline receiver pulls later and the sender learns it later", () => {
  const { world, a, b } = stage("pass");
  b.dialsFail = true;
  world.server.cutAll();
  world.pass(5_000);
  for (let number = 0; number < 30; number++) world.send(a, "b", String(number));
  world.pass(1_000);
  expect(world.server.sendsReceived).toBe(30);
  // Not even the sender is there when the receipts are made.
  a.dialsFail = true;
  world.server.cutAll();
  world.pass(120_000);
  b.dialsFail = false;
  world.pass(120_000);
  expect(b.heard()).toHaveLength(30);
  a.dialsFail = false;
  world.pass(120_000);
  expect(a.receipt("b")).toEqual([30, 0]);
  expect(world.server.cursor("b", b.config.deviceId)).toBe(30);
});

test("a lost kickout still ends the session", () => {
  const { world, a } = stage("lose", command(NOTIFY, Operation.KICKOUT));
  world.server.single = true;
  const second = world.add("a");
  world.pass(1000);
  expect(second.isLive).toBe(true);
  world.send(a, "b", "from the old device");
  world.pass(1000);
  expect(a.core.link.phase.state).toBe("stopped");
  expect(world.server.texts("a", "b")).toEqual([]);
});

test("a pair of losses heals, too", () => {
  const packets = [SEND_R, SEND_A, MESSAGE_N, ACK_R, ACK_A, RECEIPT_N];
  for (const first of packets) for (const second of packets) oneMessageArrives(stage("lose", first, second), 200_000);
});

test("either side may restart between any two packets", () => {
  for (let victim = 0; victim < 2; victim++) {
    for (let moment = 0; moment < 40; moment++) {
      const world = new World("a", "b");
      const [a, b] = world.actors as [Actor, Actor];
      let packets = 0;
      // A cut is how the play stops between two packets.
      world.server.script = () => (++packets === moment ? "cutAfter" : "pass");
      let restarted = false;
      for (let round = 1; round <= 12; round++) {
        if (round <= 3) world.send(a, "b", String(round));
        world.settle();
        if (packets >= moment && !restarted) {
          restarted = true;
          world.restart(world.actors[victim]!);
        }
        world.pass(10_000);
      }
      world.pass(60_000);
      const where = `victim ${victim}, moment ${moment}`;
      expect(a.screen("b"), where).toEqual(["1", "2", "3"]);
      expect(b.screen("a"), where).toEqual(["1", "2", "3"]);
      expect(a.outbox(), where).toEqual([]);
      expect(world.server.texts("a", "b"), where).toHaveLength(3);
      expect(a.receipt("b"), where).toEqual([3, 0]);
    }
  }
});

test("the six packets of a message, and none besides", () => {
  const { world, a } = stage("pass");
  const seen: number[] = [];
  world.server.script = (_, packet) => {
    seen.push(packet);
    return "pass";
  };
  world.send(a, "b", "你好");
  world.settle();
  expect(seen).toEqual([SEND_R, SEND_A, MESSAGE_N, ACK_R, RECEIPT_N, ACK_A]);
});

/** Groups on the stage: every member has what was said once and in order, whatever is lost, and nothing of what was not for them. */
import { expect, test } from "vitest";
import { ANSWER, command, NOTIFY, Operation, REQUEST } from "../src/wire/command";
import * as proto from "../src/wire/proto";
import { type Fate, refusal } from "./stage/server";
import { type Actor, World } from "./stage/world";

const GROUP_N = command(NOTIFY, Operation.GROUP);
const TEAM = "#team";
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => String(from + at));

/** Three members of a group, all live. The log begins with two events. */
function play(...names: string[]): { world: World; a: Actor; b: Actor; c: Actor } {
  const world = new World("a", "b", "c", ...names);
  world.pass(1_000);
  world.server.groups.create("team", "a", "The team", ["b", "c"]);
  world.server.flush();
  world.pass(1_000);
  const [a, b, c] = world.actors as [Actor, Actor, Actor];
  return { world, a, b, c };
}

/** What this group's screen shows, without events. */
const talk = (actor: Actor) => actor.screen(TEAM).filter(Boolean);
const marks = (actor: Actor) => [actor.conversation(TEAM).unread, actor.conversation(TEAM).readSeq];
const group = (actor: Actor) => actor.core.conversations.row(TEAM)!.group!;
const later = (retryAfterMs = 0) => refusal(proto.RefusalCode.TRY_LATER, { retryable: true, retryAfterMs });

function cut(world: World, ...actors: Actor[]): void {
  for (const actor of actors) actor.dialsFail = true;
  world.server.cutAll();
  world.pass(3_000);
}

function back(world: World, ...actors: Actor[]): void {
  for (const actor of actors) {
    actor.dialsFail = false;
    actor.core.wake(world.now);
  }
  world.pass(3_000);
}

test("everybody has what was said once and in order, and their own only as sent", () => {
  const { world, a, b, c } = play();
  const phone = world.add("a");
  world.pass(1_000);
  for (const number of numbers(1, 3)) for (const [name, actor] of [["a", a], ["b", b], ["c", c]] as const) {
    world.send(actor, TEAM, `${name}${number}`);
    world.settle();
  }
  const said = world.server.groups.texts("team");
  expect(said).toHaveLength(9);
  for (const actor of [a, b, c, phone]) expect(talk(actor)).toEqual(said);
  expect(a.heard().filter(Boolean)).toEqual(said.filter((text) => !text.startsWith("a")));
  expect(a.stored()).toBe(3);
  expect(a.outbox()).toEqual([]);
  expect(marks(b), "own messages and events do not count").toEqual([6, 0]);
  expect(phone.conversation(TEAM).unread).toBe(6);
});

test("a group and a person of the same name are two conversations", () => {
  const { world, a, b } = play("team");
  const person = world.actors.at(-1)!;
  world.send(a, "team", "to the person");
  world.send(a, TEAM, "to the group");
  world.settle();
  expect(person.screen("a")).toEqual(["to the person"]);
  expect(a.screen("team")).toEqual(["to the person"]);
  expect(talk(a)).toEqual(["to the group"]);
  expect(talk(b)).toEqual(["to the group"]);
  expect(a.core.conversations.rows().map(({ conversation }) => conversation.user).sort()).toEqual([TEAM, "team"]);
});

test("lost pushes are read from the log, by one request", () => {
  const { world, a, b } = play();
  let lost = true;
  world.server.script = (_, packet) => (packet === GROUP_N && lost ? "lose" : "pass");
  for (const number of numbers(1, 4)) world.server.groups.say("team", "c", number);
  lost = false;
  const before = world.server.groups.histories;
  for (const number of numbers(5, 7)) world.server.groups.say("team", "c", number);
  world.server.flush();
  world.settle();
  for (const actor of [a, b]) {
    expect(actor.heard().filter(Boolean)).toEqual(numbers(1, 7));
    expect(talk(actor)).toEqual(numbers(1, 7));
  }
  expect(world.server.groups.histories - before, "one for each of the three members").toBe(3);
});

test("a push that says only how far the log goes is enough", () => {
  const { world, b } = play();
  world.server.script = (_, packet) => (packet === GROUP_N ? "lose" : "pass");
  world.server.groups.say("team", "a", "quiet");
  world.server.script = () => "pass";
  world.server.groups.hint("team");
  world.settle();
  expect(b.heard().filter(Boolean)).toEqual(["quiet"]);
});

test.each<[string, Fate, number]>([
  ["the answer is lost", "lose", command(ANSWER, Operation.SEND)],
  ["the line breaks before the answer", "cutBefore", command(ANSWER, Operation.SEND)],
  ["the line breaks behind the request", "cutAfter", command(REQUEST, Operation.SEND)],
  ["the line breaks before the request", "cutBefore", command(REQUEST, Operation.SEND)],
  ["the push comes behind the answer", "late", GROUP_N],
  ["the push comes twice", "twice", GROUP_N],
  ["the push is lost", "lose", GROUP_N],
])("own messages are there once: %s", (_, fate, packet) => {
  const { world, a, b } = play();
  let left = 1;
  world.server.script = (_, number) => (number === packet && left-- > 0 ? fate : "pass");
  for (const number of numbers(1, 3)) world.send(a, TEAM, number);
  world.pass(20_000);
  world.server.groups.hint("team");
  world.pass(5_000);
  expect(world.server.groups.texts("team")).toEqual(numbers(1, 3));
  for (const actor of [a, b]) expect(talk(actor)).toEqual(numbers(1, 3));
  expect(a.stored()).toBe(3);
  expect(a.outbox()).toEqual([]);
  expect(a.heard().filter(Boolean)).toEqual([]);
  expect(b.heard().filter(Boolean)).toEqual(numbers(1, 3));
});

test("an own message above a gap is not told again, also after a restart", () => {
  const { world, a } = play();
  let lost = true;
  const HISTORY_A = command(ANSWER, Operation.HISTORY);
  world.server.script = (_, packet) => (lost && (packet === GROUP_N || packet === HISTORY_A) ? "lose" : "pass");
  world.server.groups.say("team", "b", "missed");
  world.send(a, TEAM, "mine");
  world.pass(100);
  expect(a.stored(), "the answer settles it although an entry below is missing").toBe(1);
  expect(a.outbox().map((row) => row.state.kind)).toEqual(["stored"]);
  world.restart(a);
  lost = false;
  world.pass(3_000);
  expect(a.heard().filter(Boolean)).toEqual(["missed"]);
  expect(talk(a)).toEqual(["missed", "mine"]);
  expect(a.outbox()).toEqual([]);
});

test("what is refused for now keeps its order", () => {
  const { world, a, b } = play();
  world.server.groups.refuseSends = [later(), later(), later()];
  for (const number of numbers(1, 3)) world.send(a, TEAM, number);
  world.send(a, "b", "to a person, meanwhile");
  world.settle();
  expect(b.screen("a")).toEqual(["to a person, meanwhile"]);
  world.pass(10_000);
  expect(talk(b)).toEqual(numbers(1, 3));
});

test("who was away reads what was missed, and nothing twice", () => {
  const { world, b } = play();
  cut(world, b);
  for (const number of numbers(1, 250)) world.server.groups.say("team", "a", number);
  const before = b.count("caughtUp");
  back(world, b);
  expect(b.heard().filter(Boolean)).toEqual(numbers(1, 250));
  expect(talk(b)).toEqual(numbers(1, 250));
  expect(marks(b)).toEqual([250, 0]);
  expect(b.count("caughtUp"), "only when the groups have caught up, too").toBe(before + 1);
  expect(b.told.findLastIndex(({ kind }) => kind === "caughtUp")).toBeGreaterThan(b.told.findLastIndex(({ kind }) => kind === "message"));
  world.restart(b);
  world.pass(3_000);
  expect(b.heard().filter(Boolean)).toHaveLength(250);
});

test("after a connection only what has changed is asked for", () => {
  const { world, b } = play();
  world.server.groups.create("other", "b", "Another", []);
  world.server.flush();
  world.pass(1_000);
  cut(world, b);
  back(world, b);
  world.server.groups.say("team", "a", "news");
  cut(world, b);
  const { asked } = world.server.groups;
  asked.length = 0;
  back(world, b);
  const mine = asked.filter(({ since }) => since > 0);
  expect(mine.length).toBeGreaterThan(0);
  expect(b.store.restored().groups).toBeGreaterThan(0);
});

test("a list of many groups comes page by page, and begins again where the connection broke", () => {
  const world = new World("b");
  world.pass(1_000);
  for (const number of numbers(100, 349)) {
    world.server.groups.create(`g${number}`, "z", `Group ${number}`, ["b"]);
    world.server.groups.say(`g${number}`, "z", "hello");
  }
  const fresh = world.add("b");
  let left = 1;
  world.server.script = (_, packet) => (packet === command(ANSWER, Operation.GROUPS) && left-- === 0 ? "cutBefore" : "pass");
  world.pass(5_000);
  expect(fresh.core.conversations.rows()).toHaveLength(250);
  expect(fresh.core.conversations.rows().every(({ conversation }) => conversation.unread === 1)).toBe(true);
  expect(world.server.groups.histories, "the list tells the newest message").toBe(0);
});

test("who is too far behind goes on from the head, and is told so", () => {
  const { world, b } = play();
  cut(world, b);
  for (const number of numbers(1, 900)) world.server.groups.say("team", "a", number);
  back(world, b);
  expect(b.count("reset")).toBe(1);
  expect(b.heard().filter(Boolean)).toEqual([]);
  expect(marks(b)).toEqual([900, 0]);
  world.server.groups.say("team", "a", "901");
  world.settle();
  expect(b.heard().filter(Boolean)).toEqual(["901"]);
  expect(marks(b)).toEqual([901, 0]);
});

test("who is removed sees and says nothing more; who comes back sees nothing of what was between", () => {
  const { world, a, b } = play();
  world.send(a, TEAM, "before");
  world.settle();
  world.server.groups.remove("team", "a", "b");
  world.server.groups.say("team", "a", "in between");
  world.server.flush();
  world.pass(1_000);
  expect(group(b).left).toBe(true);
  world.send(b, TEAM, "let me in");
  world.pass(1_000);
  expect(b.failed()).toBe(1);
  expect(talk(b)).toEqual(["before"]);
  world.server.groups.invite("team", "a", "b");
  world.server.groups.say("team", "a", "after");
  world.server.flush();
  world.pass(1_000);
  expect(group(b).left).toBe(false);
  expect(talk(b)).toEqual(["before", "after"]);
  expect(world.server.groups.texts("team")).toEqual(["before", "in between", "after"]);
});

test("unread is exact across devices, and marks never go down", () => {
  const { world, a, b } = play();
  const phone = world.add("b");
  world.pass(1_000);
  for (const number of numbers(1, 10)) world.send(a, TEAM, number);
  world.settle();
  b.core.markRead(world.now, TEAM, 6);
  world.pass(1_000);
  for (const device of [b, phone]) expect(marks(device)).toEqual([6, 6]);
  world.send(a, TEAM, "eleven");
  world.settle();
  // It knows how many are unread, not which.
  world.restart(phone);
  world.pass(1_000);
  b.core.markRead(world.now, TEAM, 8);
  world.pass(1_000);
  for (const device of [b, phone]) expect(marks(device)).toEqual([5, 8]);
  expect(world.server.groups.unread("team", "b")).toBe(5);
  phone.core.markRead(world.now, TEAM, 4);
  world.pass(1_000);
  expect(phone.conversation(TEAM).readSeq).toBe(8);
  phone.core.markRead(world.now, TEAM, 13);
  world.pass(1_000);
  for (const device of [b, phone]) expect(marks(device)).toEqual([0, 13]);
});

test("who has missed too much of the inbox learns of marks all the same", () => {
  const { world, a, b } = play();
  const phone = world.add("b");
  world.pass(1_000);
  for (const number of numbers(1, 4)) world.send(a, TEAM, number);
  world.settle();
  cut(world, phone);
  back(world, b);
  b.core.markRead(world.now, TEAM, 5);
  world.pass(1_000);
  world.server.trimInbox("b");
  back(world, phone);
  expect(phone.count("reset")).toBe(1);
  for (const device of [b, phone]) expect(marks(device)).toEqual([1, 5]);
});

test("a mark made offline arrives", () => {
  const { world, a, b } = play();
  world.send(a, TEAM, "hello");
  world.settle();
  cut(world, b);
  b.core.markRead(world.now, TEAM, 3);
  world.settle();
  world.restart(b);
  back(world, b);
  expect(world.server.groups.unread("team", "b")).toBe(0);
  expect(b.store.restored().reads.size).toBe(0);
});

test("a mention is told by the message, and by the inbox if the message was lost", () => {
  const { world, a, b } = play();
  world.send(a, TEAM, "hello b", 0, { mentions: ["b"] });
  world.settle();
  expect(group(b).mentionSeq).toBe(3);
  expect(group(a).mentionSeq).toBe(0);
  world.server.script = (_, packet) => (packet === GROUP_N ? "lose" : "pass");
  world.send(a, TEAM, "b again", 0, { mentions: ["b"] });
  world.settle();
  expect(group(b).mentionSeq).toBe(4);
  expect(b.heard().filter(Boolean)).toEqual(["hello b", "b again"]);
  const phone = world.add("b");
  world.pass(1_000);
  expect(group(phone).mentionSeq).toBe(4);
});

test("what happens to a group is told and asked for", () => {
  const { world, b } = play();
  world.server.groups.rename("team", "a", "Another name");
  world.server.flush();
  world.pass(1_000);
  expect(group(b).profile?.title).toBe("Another name");
  const event = b.told.findLast((told) => told.kind === "message")!;
  expect(event.kind === "message" && event.entry.event).toEqual({ title: "Another name" });
  expect(b.conversation(TEAM).unread).toBe(0);
});

test.each([10, 0])("changes reach everybody, and which reactions are one's own is known, if %i who gave one are named", (namedMax) => {
  const { world, a, b } = play();
  world.server.groups.namedMax = namedMax;
  const phone = world.add("b");
  world.pass(1_000);
  world.send(a, TEAM, "hello");
  world.settle();
  const react = (actor: Actor, token: number, remove = false) => {
    world.request(actor, token, { kind: "react", user: TEAM, seq: 3, clientRequestId: new Uint8Array(16).fill(token), name: "👍", remove });
    world.pass(1_000);
  };
  const seen = (actor: Actor) => actor.store.entriesOf(TEAM, 3, 3, 1)[0]!.reactions.map(({ name, count, own }) => [name, count, own]);
  react(b, 1);
  for (const device of [b, phone]) expect(seen(device)).toEqual([["👍", 1, true]]);
  expect(seen(a)).toEqual([["👍", 1, false]]);
  react(a, 2);
  for (const device of [b, phone]) expect(seen(device)).toEqual([["👍", 2, true]]);
  react(b, 3, true);
  for (const device of [b, phone]) expect(seen(device)).toEqual([["👍", 1, false]]);
  expect(seen(a)).toEqual([["👍", 1, true]]);
  const body = new TextEncoder().encode("hello!");
  world.request(a, 4, { kind: "edit", user: TEAM, seq: 3, clientRequestId: new Uint8Array(16).fill(9), body });
  world.pass(1_000);
  for (const device of [a, b, phone]) expect(talk(device)).toEqual(["hello!"]);
  expect(seen(a)).toEqual([["👍", 1, true]]);
});

test("who was away learns how old messages have changed meanwhile, also after a restart", () => {
  const { world, a, b } = play();
  for (const number of numbers(1, 5)) world.send(a, TEAM, number);
  world.settle();
  cut(world, b);
  const edit = (seq: number, text: string) => {
    world.request(a, seq, { kind: "edit", user: TEAM, seq, clientRequestId: new Uint8Array(16).fill(seq), body: new TextEncoder().encode(text) });
    world.pass(100);
  };
  edit(4, "two!");
  world.send(a, TEAM, "6");
  world.settle();
  edit(5, "three!");
  edit(9, "six!");
  // The page of what was missed comes, that of what has changed does not.
  let left = 1;
  world.server.script = (_, packet) => (packet === command(ANSWER, Operation.HISTORY) && left-- <= 0 ? "lose" : "pass");
  back(world, b);
  expect(talk(b)).toEqual(["1", "2", "3", "4", "5", "six!"]);
  world.server.script = () => "pass";
  world.restart(b);
  world.pass(3_000);
  expect(talk(b)).toEqual(["1", "two!", "three!", "4", "5", "six!"]);
  expect(b.told.filter(({ kind }) => kind === "changed")).toHaveLength(2);
  expect(b.core.conversations.row(TEAM)?.changedSince).toBeUndefined();
});

test("what is stored is acknowledged after 20 messages or 5 seconds", () => {
  const { world, b } = play();
  world.pass(6_000);
  const { groups } = world.server;
  const before = groups.acks;
  for (const number of numbers(1, 19)) groups.say("team", "a", number);
  world.settle();
  expect(groups.acks).toBe(before);
  groups.say("team", "a", "20");
  world.settle();
  expect(groups.stored("team", "b")).toBe(22);
  expect(groups.acks - before, "once by each of three").toBe(3);
  groups.say("team", "a", "21");
  world.pass(4_900);
  expect(groups.stored("team", "b")).toBe(22);
  world.pass(200);
  expect(groups.stored("team", "b")).toBe(23);
  world.server.script = (_, packet) => (packet === command(REQUEST, Operation.GROUP_ACK) ? "cutBefore" : "pass");
  groups.say("team", "a", "22");
  world.pass(5_100);
  world.server.script = () => "pass";
  world.pass(5_000);
  expect(groups.stored("team", "b"), "an acknowledgement that was lost comes again").toBe(24);
  expect(b.isLive).toBe(true);
});

test("what is deleted for oneself is gone on all own devices only", () => {
  const { world, a, b } = play();
  const phone = world.add("b");
  world.pass(1_000);
  world.send(a, TEAM, "one");
  world.send(a, TEAM, "two");
  world.settle();
  world.request(b, 1, { kind: "delete", user: TEAM, deletion: { upToSeq: 0, seqs: [3] } });
  world.pass(1_000);
  for (const device of [b, phone]) expect(talk(device)).toEqual(["two"]);
  expect(talk(a)).toEqual(["one", "two"]);
});

test("somebody types in a group", () => {
  const { world, a, b } = play();
  a.core.typing(world.now, TEAM, false);
  world.settle();
  expect(b.told.at(-1)).toEqual({ kind: "typing", user: TEAM, stopped: false, sender: "a" });
});

test("a server restored from a backup is believed anew", () => {
  const { world, a, b } = play();
  world.send(a, TEAM, "hello");
  world.settle();
  cut(world, b);
  world.server.logEpoch = 2;
  world.server.groups.say("team", "a", "after the backup");
  back(world, b);
  expect(marks(b)).toEqual([2, 0]);
  world.server.groups.say("team", "a", "goes on");
  world.settle();
  expect(b.heard().filter(Boolean).at(-1)).toBe("goes on");
});

test("an own message above a gap outlives no restored server", () => {
  const { world, a } = play();
  const lost = [GROUP_N, command(ANSWER, Operation.HISTORY)];
  world.server.script = (_, packet) => (lost.includes(packet) ? "lose" : "pass");
  world.server.groups.say("team", "b", "missed");
  world.send(a, TEAM, "mine");
  world.pass(100);
  expect(a.outbox()).toHaveLength(1);
  cut(world, a);
  world.server.script = () => "pass";
  world.server.logEpoch = 2;
  back(world, a);
  expect(a.outbox()).toEqual([]);
  expect(a.isLive).toBe(true);
});

test("a server that knows no groups stops nothing", () => {
  const world = new World("a", "b");
  world.server.groups.isUnknown = true;
  const [a, b] = world.actors as [Actor, Actor];
  world.pass(60_000);
  world.send(a, "b", "hello");
  world.settle();
  expect(b.heard()).toEqual(["hello"]);
  expect(b.count("caughtUp")).toBe(1);
});

/** Numbers that are the same at every run. */
function dice(seed: number): (sides: number) => number {
  let word = seed * 2_654_435_761 + 1;
  return (sides) => {
    word = (Math.imul(word ^ (word >>> 15), 0x2c1b_3c6d) ^ (word << 7)) >>> 0;
    return word % sides;
  };
}

test.each(Array.from({ length: 30 }, (_, seed) => seed))("whatever is lost, in the end everybody has everything once (%i)", (seed) => {
  const roll = dice(seed + 1);
  const { world, a, b, c } = play();
  const phone = world.add("b");
  world.pass(1_000);
  const FATES: Fate[] = ["lose", "twice", "late", "cutBefore", "cutAfter"];
  const OPERATIONS: number[] = [Operation.SEND, Operation.GROUP, Operation.HISTORY, Operation.GROUPS, Operation.GROUP_ACK, Operation.MESSAGE];
  world.server.script = (_, packet) => (OPERATIONS.includes(packet & 65_535) && packet >>> 16 !== REQUEST && roll(8) === 0 ? FATES[roll(FATES.length)]! : "pass");
  let written = 0;
  for (let step = 0; step < 60; step++) {
    const actor = [a, b, c, phone][roll(4)]!;
    if (roll(12) === 0) world.restart(actor);
    else if (roll(3) > 0) world.send(actor, TEAM, `${actor.name} ${++written}`);
    world.pass(roll(400));
  }
  world.server.script = () => "pass";
  world.pass(40_000);
  world.server.groups.hint("team");
  world.pass(20_000);
  const said = world.server.groups.texts("team");
  expect(said).toHaveLength(written);
  for (const actor of [a, b, c, phone]) {
    expect(talk(actor)).toEqual(said);
    expect(actor.outbox()).toEqual([]);
    expect(actor.conversation(TEAM).unread).toBe(world.server.groups.unread("team", actor.name));
    const own = said.filter((text) => text.startsWith(`${actor.name} `)).map((text) => Number(text.slice(2)));
    if (actor !== b && actor !== phone) expect(own, "in the order of writing").toEqual([...own].sort((x, y) => x - y));
  }
});

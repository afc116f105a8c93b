/** Rooms: what each packet's loss costs (nothing), who is in under which name, and what tabs share. */
import { afterEach, describe, expect, test } from "vitest";
import type { Room, RoomMessage } from "../src/api";
import { utf8 } from "../src/wire/codec";
import { ANSWER, command, NOTIFY, Operation, REQUEST } from "../src/wire/command";
import { RefusalCode } from "../src/wire/proto";
import { Browser } from "./stage/browser";
import { Guest } from "./stage/guest";
import { refusal, type Fate } from "./stage/server";
import { type Page, Site, until } from "./stage/site";
import { World } from "./stage/world";

const SEND_R = command(REQUEST, Operation.SEND);
const SEND_A = command(ANSWER, Operation.SEND);
const ENTER_R = command(REQUEST, Operation.ENTER_ROOM);
const ENTER_A = command(ANSWER, Operation.ENTER_ROOM);
const LEAVE_R = command(REQUEST, Operation.LEAVE_ROOM);
const LEAVE_A = command(ANSWER, Operation.LEAVE_ROOM);
const ROOM_N = command(NOTIFY, Operation.ROOM);
const HISTORY_R = command(REQUEST, Operation.HISTORY);
const HISTORY_A = command(ANSWER, Operation.HISTORY);
/** Long enough for a request to be given up and asked again on another connection. */
const HEALED_MS = 15_000;

interface Play {
  world: World;
  a: Guest;
  b: Guest;
}

/** Ann and Bob, both in the lobby. */
function lobby(): Play {
  const world = new World("a", "b");
  world.server.rooms.open("lobby");
  const [a, b] = world.actors.map((actor, at) => new Guest(world, actor, "lobby", ["Ann", "Bob"][at]!)) as [Guest, Guest];
  world.pass(1000);
  for (const guest of [a, b]) {
    guest.enter();
    world.settle();
  }
  return { world, a, b };
}

/** The first packets of these commands have this fate from now on. */
function next(world: World, fate: Fate, ...commands: number[]): void {
  world.server.script = (_, packet) => {
    const at = commands.indexOf(packet);
    if (at < 0) return "pass";
    commands.splice(at, 1);
    return fate;
  };
}

test("guests see each other's names and words, each once, and their own", () => {
  const { world, a, b } = lobby();
  expect([a.look().state, a.names, b.look().names]).toEqual(["in", ["Ann", "Bob"], ["Bob", "Ann"]]);
  const token = a.say("Hello");
  b.say("你好");
  world.settle();
  expect(a.lines).toEqual(["*Ann: Hello", "Bob: 你好"]);
  expect(b.lines).toEqual(["Ann: Hello", "*Bob: 你好"]);
  expect(a.answers.get(token)).toMatchObject({ answer: { seq: 1 } });
  b.leave();
  world.settle();
  expect([a.look().names, b.look().state]).toEqual([["Ann"], "out"]);
  a.say("Anybody?");
  world.settle();
  expect(b.texts).toHaveLength(2);
});

test("who enters later is told nothing of before, but may ask for it in pages", () => {
  const { world, a, b } = lobby();
  for (let number = 1; number <= 5; number++) world.server.rooms.say("lobby", "Cem", utf8(`line ${number}`));
  b.leave();
  world.settle();
  b.enter();
  world.settle();
  const newest = b.older(6, 2);
  world.settle();
  expect(b.look().answers.get(newest)).toMatchObject({ answer: { coveredFrom: 4, coveredTo: 5, entries: [{ seq: 4 }, { seq: 5 }] } });
  expect(a.texts).toHaveLength(5);
  world.server.rooms.say("lobby", "Cem", utf8("line 6"));
  world.settle();
  expect(b.texts).toEqual(["line 6"]);
});

test("a name that is taken, a room that is none, a text that is too long: refused, and nothing is repeated", () => {
  const { world, a, b } = lobby();
  const [third, lost] = [new Guest(world, world.add("c"), "lobby", "Ann"), new Guest(world, world.add("d"), "attic", "Dee")];
  world.settle();
  const [taken, nowhere] = [third.enter(), lost.enter()];
  world.settle();
  expect(third.look().answers.get(taken)).toMatchObject({ error: { refusal: { code: RefusalCode.CONFLICT } } });
  expect([third.state, third.refusal?.code]).toEqual(["out", RefusalCode.CONFLICT]);
  expect(lost.look().answers.get(nowhere)).toMatchObject({ error: { refusal: { code: RefusalCode.NOT_FOUND } } });
  const [long, right] = [a.say("鸿".repeat(141)), a.say("🪿".repeat(140))];
  world.settle();
  expect(a.look().answers.get(long)).toMatchObject({ error: { refusal: { code: RefusalCode.INVALID_ARGUMENT } } });
  expect(a.answers.get(right)).toMatchObject({ answer: { seq: 1 } });
  expect(b.texts).toHaveLength(1);
  world.pass(60_000);
  expect(world.server.rooms.names("lobby")).toEqual(["Ann", "Bob"]);
  const deaf = third.say("Can you hear me?");
  world.settle();
  expect(third.look().answers.get(deaf)).toMatchObject({ error: { refusal: { code: RefusalCode.NOT_FOUND } } });
});

describe("one packet is lost, doubled, late, or the last of its connection", () => {
  const packets = { SEND_R, SEND_A, ROOM_N, ENTER_R, ENTER_A, HISTORY_R, HISTORY_A };
  const fates: Fate[] = ["lose", "twice", "late", "cutBefore", "cutAfter"];
  for (const [name, packet] of Object.entries(packets)) {
    for (const fate of fates) {
      test(`${name} ${fate}`, () => {
        const { world, a, b } = lobby();
        a.say("one");
        world.settle();
        // Bob is away for a moment, so that everything is asked for once more.
        world.server.close(b.actor.line!);
        next(world, fate, packet);
        a.say("two");
        b.say("three");
        world.pass(HEALED_MS);
        a.say("four");
        world.pass(HEALED_MS);
        a.say("five");
        world.pass(HEALED_MS);
        const said = world.server.rooms.texts("lobby");
        expect(said.toSorted()).toEqual(["five", "four", "one", "three", "two"]);
        expect(a.texts).toEqual(said);
        expect(b.texts).toEqual(said);
        expect([a.look().state, b.look().state]).toEqual(["in", "in"]);
        expect(a.names.toSorted()).toEqual(["Ann", "Bob"]);
        expect(b.names.toSorted()).toEqual(["Ann", "Bob"]);
      });
    }
  }
});

test("an own text that overtakes others waits for them, and asks when they do not come", () => {
  const { world, a, b } = lobby();
  world.server.rooms.say("lobby", "Bob", utf8("never told"), false);
  a.say("mine");
  world.settle();
  expect(a.texts, "the push of the own text shows the gap").toEqual(["never told", "mine"]);
  // Both texts are pushed to nobody; Bob learns of the gap from his answer.
  next(world, "lose", ROOM_N, ROOM_N, ROOM_N, ROOM_N);
  world.server.rooms.say("lobby", "Ann", utf8("lost"));
  b.say("lost, too");
  world.pass(5_000);
  expect(b.texts).toEqual(["never told", "mine", "lost", "lost, too"]);
});

test("who comes while one's answer is on its way is not forgotten", () => {
  const { world, b } = lobby();
  const cem = new Guest(world, world.add("c"), "lobby", "Cem");
  world.pass(1000);
  b.leave();
  world.settle();
  next(world, "late", ENTER_A);
  b.enter();
  world.settle();
  cem.enter();
  world.settle();
  expect([b.look().state, b.names]).toEqual(["in", ["Bob", "Ann", "Cem"]]);
});

test("whoever was told nothing of comings, goings and words asks when it hears that something was dropped", () => {
  const { world, a, b } = lobby();
  const cem = new Guest(world, world.add("c"), "lobby", "Cem");
  world.pass(1000);
  world.server.script = (_, packet) => (packet === ROOM_N ? "lose" : "pass");
  cem.enter();
  world.settle();
  b.leave();
  cem.say("Did anybody see me come in?");
  world.settle();
  world.server.script = () => "pass";
  expect([a.look().names, a.texts]).toEqual([["Ann", "Bob"], []]);
  world.server.rooms.skip("lobby");
  world.settle();
  expect([a.look().names, a.texts]).toEqual([["Ann", "Cem"], ["Did anybody see me come in?"]]);
  expect(a.state).toBe("in");
});

test("a gap of more than a page is read in pages", () => {
  const { world, a } = lobby();
  for (let number = 1; number <= 250; number++) world.server.rooms.say("lobby", "Bob", utf8(`${number}`), false);
  world.server.rooms.say("lobby", "Bob", utf8("251"));
  world.settle();
  expect(a.texts).toEqual(Array.from({ length: 251 }, (_, at) => String(at + 1)));
});

test("a server that has forgotten the room is believed", () => {
  const { world, a } = lobby();
  for (const words of ["one", "two", "three"]) a.say(words);
  world.settle();
  world.server.rooms.forget("lobby");
  world.server.rooms.say("lobby", "Cem", utf8("new life"));
  world.server.cutAll();
  world.pass(HEALED_MS);
  expect(a.texts, "the log is another one").toEqual([]);
  world.server.rooms.say("lobby", "Cem", utf8("goes on"));
  world.settle();
  expect(a.texts).toEqual(["goes on"]);
});

test("whose name was given away meanwhile is out and told why; what was not said is refused with it", () => {
  const { world, a, b } = lobby();
  b.actor.dialsFail = true;
  world.server.close(b.actor.line!);
  world.pass(1000);
  world.server.expireRooms();
  world.settle();
  expect(a.look().names).toEqual(["Ann"]);
  const thief = new Guest(world, world.add("c"), "lobby", "Bob");
  world.settle();
  thief.enter();
  const unsaid = b.say("I am Bob");
  expect(b.look().state).toBe("entering");
  b.actor.dialsFail = false;
  world.pass(60_000);
  expect([b.look().state, b.refusal?.code]).toEqual(["out", RefusalCode.CONFLICT]);
  expect(b.answers.get(unsaid)).toMatchObject({ error: { refusal: { code: RefusalCode.CONFLICT } } });
  expect(world.server.rooms.texts("lobby")).toEqual([]);
});

test("one's own words are known under the name as the server writes it", () => {
  const { world, a } = lobby();
  const spaced = new Guest(world, world.add("c"), "lobby", " Cem ");
  world.settle();
  spaced.enter();
  world.settle();
  spaced.say("with space around me");
  world.settle();
  a.say("seen");
  world.settle();
  expect(spaced.lines).toEqual(["*Cem: with space around me", "Ann: seen"]);
});

test("a room that is closed sends everybody out", () => {
  const { world, a, b } = lobby();
  world.server.rooms.close("lobby");
  world.settle();
  expect([a.look().state, a.refusal?.code, b.look().state]).toEqual(["out", RefusalCode.NOT_FOUND, "out"]);
  const again = a.enter();
  world.settle();
  expect(a.look().answers.get(again)).toMatchObject({ error: { refusal: { code: RefusalCode.NOT_FOUND } } });
});

test("what is refused for now is said later, and nothing overtakes it", () => {
  const { world, a, b } = lobby();
  world.server.rooms.refuseTexts.push(refusal(RefusalCode.RATE_LIMITED, { retryable: true, retryAfterMs: 3_000 }));
  a.say("first");
  a.say("second");
  world.pass(2_000);
  expect(b.texts).toEqual([]);
  world.pass(2_000);
  expect(b.texts).toEqual(["first", "second"]);
  for (let times = 0; times < 5; times++) world.server.rooms.refuseTexts.push(refusal(RefusalCode.TRY_LATER, { retryable: true }));
  const given = a.say("never");
  world.pass(60_000);
  expect(a.look().answers.get(given)).toMatchObject({ error: { refusal: { code: RefusalCode.TRY_LATER } } });
});

for (const fate of ["lose", "cutBefore", "cutAfter"] as const) {
  test(`leaving is repeated until the server knows (${fate})`, () => {
    const { world, a, b } = lobby();
    next(world, fate, fate === "lose" ? LEAVE_A : LEAVE_R);
    const token = b.leave();
    // At the door again, under another name, before the first is free.
    const again = new Guest(world, b.actor, "lobby", "Bea");
    again.enter();
    world.settle();
    expect(b.look().state).toBe("out");
    world.pass(HEALED_MS);
    expect(world.server.rooms.names("lobby")).toEqual(["Ann", "Bea"]);
    expect(a.look().names).toEqual(["Ann", "Bea"]);
    expect([again.look().state, b.look().answers.has(token)]).toEqual(["in", true]);
  });
}

test("the end of the session is the end of every stay", () => {
  const { world, a } = lobby();
  a.actor.core.abandon(world.now);
  world.settle();
  expect(a.look().state).toBe("out");
  a.actor.core.start(world.now);
  world.pass(HEALED_MS);
  expect(a.look().state).toBe("out");
});

describe("in tabs", () => {
  let site = new Site();
  afterEach(() => {
    site.close();
    site = new Site();
  });

  /** Enters, and gathers what is shown. */
  async function guest(page: Page, name: string): Promise<{ room: Room; shown: RoomMessage[] }> {
    const room = page.client.room("lobby", name);
    const shown: RoomMessage[] = [];
    room.on("entries", (entries) => void shown.push(...entries));
    await room.enter();
    return { room, shown };
  }

  const words = (shown: RoomMessage[]) => shown.map(({ text }) => text);

  test("a room needs a session, and every tab of it is in the same room", async () => {
    site.net.server.rooms.open("lobby");
    const browser = new Browser();
    const early = site.page(browser);
    await expect(early.client.room("lobby", "Ann").enter()).rejects.toMatchObject({ code: "unauthenticated" });
    const [here, there] = [await site.signedIn("a", browser), site.page(browser)];
    const first = await guest(here, "Ann");
    const second = await guest(there, "Ann");
    expect([second.room.state, second.room.names, second.room.charactersMax]).toEqual([{ state: "in" }, ["Ann"], 140]);
    await expect(there.client.room("lobby", "Bea").enter()).rejects.toMatchObject({ code: "conflict" });
    const { seq, time } = await second.room.say("from the second tab");
    expect([seq, time]).toEqual([1, 1]);
    await until(() => first.shown.length === 1 && second.shown.length === 1);
    expect(first.shown).toEqual([{ seq: 1, time: 1, from: "Ann", own: true, text: "from the second tab" }]);
    const late = await guest(site.page(browser), "Ann");
    expect(await late.room.history()).toMatchObject({ messages: [{ text: "from the second tab", own: true }], from: 1, low: 1 });
    expect(await late.room.history({ before: 1 })).toEqual({ messages: [], from: 1, low: 1 });
    await first.room.leave();
    await until(() => second.room.state.state === "out");
    expect(site.net.server.rooms.names("lobby")).toEqual([]);
    await expect(second.room.say("Hello?")).rejects.toMatchObject({ code: "not_found" });
  });

  test("when the leading tab dies with a text in the air, it is said once and everything is shown once", { timeout: 20_000 }, async () => {
    site.net.server.rooms.open("lobby");
    const browser = new Browser();
    const leader = await site.signedIn("a", browser);
    const follower = site.page(browser);
    expect(await follower.client.start()).toBe(true);
    await guest(leader, "Ann");
    const ann = await guest(follower, "Ann");
    const bob = await guest(await site.signedIn("b"), "Bob");
    await bob.room.say("one");
    await until(() => ann.shown.length === 1);
    site.net.server.script = (_, packet) => {
      if (packet === SEND_A) leader.tab.crash();
      return "pass";
    };
    const saying = ann.room.say("two");
    await until(() => leader.tab.isDead);
    site.net.server.script = () => "pass";
    await bob.room.say("three");
    expect(await saying).toMatchObject({ seq: 2 });
    await until(() => ann.shown.length === 3);
    expect(words(ann.shown)).toEqual(["one", "two", "three"]);
    expect(words(bob.shown)).toEqual(["one", "two", "three"]);
    expect(site.net.server.rooms.names("lobby")).toEqual(["Ann", "Bob"]);
    expect(ann.room.state).toEqual({ state: "in" });
  });

  test("over polls as over a WebSocket, and through a broken connection", async () => {
    site.net.server.rooms.open("lobby");
    site.net.sockets = "refused";
    const ann = await guest(await site.signedIn("a"), "Ann");
    site.net.sockets = "open";
    const bob = await guest(await site.signedIn("b"), "Bob");
    const states: string[] = [];
    ann.room.on("state", ({ state }) => void states.push(state));
    await ann.room.say("one");
    site.net.cut();
    await Promise.all([bob.room.say("two"), ann.room.say("three")]);
    await until(() => ann.shown.length === 3 && bob.shown.length === 3);
    expect(words(ann.shown)).toEqual(words(bob.shown));
    expect(words(ann.shown).toSorted()).toEqual(["one", "three", "two"]);
    expect(states).toEqual(["entering", "in"]);
    expect(site.net.server.rooms.textsReceived).toBeGreaterThanOrEqual(3);
    await ann.room.leave();
    await until(() => bob.room.names.length === 1);
  });

  test("people in one browser are set apart by their profiles, and may choose polls", async () => {
    site.net.server.rooms.open("lobby");
    const browser = new Browser();
    const pages = [site.page(browser, {}, { profile: "1" }), site.page(browser, {}, { profile: "2", transport: "poll" })];
    for (const [at, { client }] of pages.entries()) {
      await client.signIn({ token: `user${at}` });
      await client.room("lobby", `guest ${at}`).enter();
    }
    expect(pages.map(({ client }) => client.link.transport)).toEqual(["websocket", "poll"]);
    expect(site.net.server.rooms.names("lobby")).toEqual(["guest 0", "guest 1"]);
  });

  test("signing out leaves", async () => {
    site.net.server.rooms.open("lobby");
    const page = await site.signedIn("a");
    const { room } = await guest(page, "Ann");
    await page.client.signOut();
    await until(() => room.state.state === "out");
    await expect(room.say("x")).rejects.toMatchObject({ code: "not_found" });
  });
});

/** The shell around the core: what is kept, what carries the frames, what wakes it up. */
import { afterEach, expect, test } from "vitest";
import { ANSWER, command, NOTIFY, Operation, REQUEST } from "../src/wire/command";
import * as proto from "../src/wire/proto";
import { Browser, Clock } from "./stage/browser";
import { refusal } from "./stage/server";
import { of, type Page, Site, texts, until } from "./stage/site";

let site = new Site();
afterEach(() => {
  site.close();
  site = new Site();
});

const isLive = (page: Page, transport = "websocket") => until(() => page.client.link.state === "live" && page.client.link.transport === transport);

test("a message is in the outbox when send resolves, and tells how it goes", async () => {
  const [a, b] = [await site.signedIn("a"), await site.signedIn("b")];
  const pending = await a.client.send("b", "hello", { replyTo: 0 });
  expect(pending).toMatchObject({ local: 1, state: "sending", text: "hello", own: true });
  await until(() => of(a, "message").some((message) => message.state === "delivered"));
  const states = of(a, "message").map(({ local, seq, state }) => ({ local, seq, state }));
  expect(states[0]).toEqual({ local: 1, seq: undefined, state: "sending" });
  expect(states[1], "by both, so that the one on the screen is replaced").toEqual({ local: 1, seq: 1, state: expect.stringMatching(/sent|delivered/) });
  expect(states.at(-1)).toEqual({ local: undefined, seq: 1, state: "delivered" });
  expect(of(b, "message")).toMatchObject([{ user: "a", own: false, seq: 1 }]);
  expect(await texts(a, "b")).toEqual(["hello"]);
});

test("what was written offline survives the tab, and goes out with the next visit", async () => {
  const browser = new Browser();
  const a = await site.signedIn("a", browser);
  site.net.sockets = site.net.polls = "refused";
  site.net.cut();
  await until(() => a.client.link.state === "broken");
  await a.client.send("b", "one");
  await a.client.send("b", "two");
  a.tab.crash();
  site.net.sockets = site.net.polls = "open";
  const again = site.page(browser);
  expect(await again.client.start()).toBe(true);
  await until(() => site.net.server.texts("a", "b").length === 2);
  expect(site.net.server.texts("a", "b")).toEqual(["one", "two"]);
  expect(site.net.server.logins, "the session went on").toBe(1);
});

test("nothing is sent or told before its rows are kept", async () => {
  const browser = new Browser();
  const a = await site.signedIn("a", browser);
  const b = await site.signedIn("b");
  // Sent, and the tab dies with the packet on its way: the next visit must know of it.
  site.net.server.script = (_, packet) => {
    if (packet !== command(REQUEST, Operation.SEND)) return "pass";
    a.tab.crash();
    return "lose";
  };
  void a.client.send("b", "hello").catch(() => undefined);
  await until(() => a.tab.isDead);
  site.net.server.script = () => "pass";
  await site.page(browser).client.start();
  await until(() => of(b, "message").length >= 1);
});

test("a disk that is full ends the keeping, not the talking, and leaves the database right", async () => {
  const browser = new Browser();
  const a = await site.signedIn("a", browser);
  const b = await site.signedIn("b");
  site.net.server.say("b", "a", "kept");
  site.net.deliver();
  await until(() => of(a, "message").length >= 1);
  // From now on no transaction comes through.
  for (const database of a.tab.databases) database.close();
  site.net.server.say("b", "a", "not kept");
  await a.client.send("b", "out all the same");
  await until(() => of(b, "message").some((message) => message.text === "out all the same"));
  expect(await texts(a, "b"), "read anew from the server").toEqual(["kept", "not kept", "out all the same"]);
  a.tab.crash();
  const again = site.page(browser);
  await again.client.start();
  await until(() => of(again, "caughtUp").length >= 1);
  expect(await texts(again, "b")).toEqual(["kept", "not kept", "out all the same"]);
});

test("sending needs somebody who is signed in", async () => {
  await expect(site.page().client.send("b", "hello")).rejects.toMatchObject({ code: "unauthenticated" });
});

test("without a database everything works as long as the tab lives", async () => {
  const a = await site.signedIn("a", new Browser(), { indexedDB: undefined });
  const b = await site.signedIn("b");
  await a.client.send("b", "hello");
  await until(() => of(b, "message").length >= 1);
  await a.client.setDraft("b", "more");
  expect(await a.client.drafts()).toEqual(new Map([["b", "more"]]));
  await a.client.setDraft("b", "");
  expect((await a.client.drafts()).size).toBe(0);
  await until(async () => (await texts(a, "b")).length === 1);
});

test("a database that is deleted under a live page is filled again", async () => {
  const browser = new Browser();
  const a = await site.signedIn("a", browser);
  site.net.server.say("b", "a", "before");
  site.net.deliver();
  await until(() => of(a, "message").length >= 1);
  const names = (await browser.indexedDB.databases()).map((database) => database.name!);
  await Promise.all(names.map((name) => new Promise((resolve) => (browser.indexedDB.deleteDatabase(name).onsuccess = resolve))));
  await until(() => of(a, "reset").length > 0);
  expect(await texts(a, "b"), "read anew from the server").toEqual(["before"]);
  a.tab.crash();
  const again = site.page(browser);
  expect(await again.client.start()).toBe(true);
  await isLive(again);
});

test("a database that was wiped between visits begins over", async () => {
  const browser = new Browser();
  const a = await site.signedIn("a", browser);
  site.net.server.say("b", "a", "hello");
  site.net.deliver();
  await until(() => of(a, "message").length >= 1);
  a.client.close();
  const wiped = new Browser();
  const again = site.page(wiped);
  expect(await again.client.start()).toBe(false);
  await again.client.signIn({ token: "a" });
  expect(await texts(again, "b")).toEqual(["hello"]);
  await until(async () => (await again.client.conversations())[0]?.unread === 1);
});

test("history reads the server page by page, then the cache, and comes to the first page", async () => {
  for (let number = 1; number <= 130; number++) site.net.server.say("b", "a", String(number));
  site.net.server.trimInbox("a");
  const a = await site.signedIn("a");
  // A device whose place in the inbox is no longer kept: nothing but the list is here.
  expect((await a.client.conversations())[0]).toMatchObject({ user: "b", unread: 130, headSeq: 130, last: { text: "130" } });
  const asked = () => requests.filter((packet) => packet === command(REQUEST, Operation.HISTORY)).length;
  const requests: number[] = [];
  site.net.server.script = (_, packet) => {
    requests.push(packet);
    return "pass";
  };
  const read = async () => {
    let page = await a.client.history("b");
    const all = [...page.messages];
    while (page.from > page.low) {
      page = await a.client.history("b", { before: page.from });
      all.unshift(...page.messages);
    }
    return all.map((message) => Number(message.text));
  };
  const wanted = Array.from({ length: 130 }, (_, at) => at + 1);
  expect(await read()).toEqual(wanted);
  const first = asked();
  expect(first).toBe(3);
  expect(await read()).toEqual(wanted);
  expect(asked(), "the second time from the cache").toBe(first);
});

/** Signed in, away while so much was written, and back; pages of the inbox come as long as `script` lets them. */
async function returning(count: number, script: Site["net"]["server"]["script"]): Promise<Page> {
  const browser = new Browser();
  const before = await site.signedIn("a", browser);
  await until(() => of(before, "caughtUp").length >= 1);
  before.tab.crash();
  for (let number = 1; number <= count; number++) site.net.server.say("b", "a", String(number));
  site.net.server.script = script;
  const page = site.page(browser);
  await page.client.start();
  return page;
}

test("while a long inbox is taken in, the newest messages are there already", async () => {
  let pages = 0;
  const a = await returning(1_000, (_, packet) => (packet === command(ANSWER, Operation.SYNC) && ++pages > 1 ? "lose" : "pass"));
  await until(() => of(a, "message").length >= 200);
  expect(of(a, "message").length, "the rest is under way").toBeLessThan(1_000);
  const newest = await a.client.history("b", { limit: 3 });
  expect(newest).toMatchObject({ to: 1_000, messages: [{ text: "998" }, { text: "999" }, { text: "1000" }] });
  const known = await a.client.history("b", { before: 4 });
  expect(known.messages.map((message) => message.text), "what is here comes from here").toEqual(["1", "2", "3"]);
});

test("a page of the inbox is told in one go, so that an application draws once for all of it", async () => {
  const goes = new Set<number>();
  let go = 0;
  const a = await returning(0, () => "pass");
  await until(() => of(a, "caughtUp").length >= 1);
  a.client.on("message", () => {
    goes.add(go);
    queueMicrotask(() => (go += 1));
  });
  site.net.cut();
  for (let number = 1; number <= 400; number++) site.net.server.say("b", "a", String(number));
  await until(() => of(a, "message").length >= 400);
  expect(of(a, "message").map((message) => Number(message.text))).toEqual(Array.from({ length: 400 }, (_, at) => at + 1));
  expect(goes.size).toBeLessThanOrEqual(4);
});

test("offline, history gives what is here, and says so where nothing is", async () => {
  const a = await site.signedIn("a");
  site.net.server.say("b", "a", "here");
  site.net.deliver();
  await until(() => of(a, "message").length >= 1);
  site.net.sockets = site.net.polls = "refused";
  site.net.cut();
  await until(() => a.client.link.state === "broken");
  expect(await texts(a, "b")).toEqual(["here"]);
  await a.client.send("c", "first words");
  expect((await a.client.history("c")).messages).toMatchObject([{ text: "first words", state: "sending" }]);
  await expect(a.client.edit("b", 1, "x")).rejects.toBe("offline");
});

test("signing in fails with the refusal, or with `offline`, and leaves no attempt behind", async () => {
  const a = site.page();
  site.net.server.refuseLogin = refusal(proto.RefusalCode.UNAUTHENTICATED);
  await expect(a.client.signIn({ user: "a", password: "x" })).rejects.toMatchObject({ code: "unauthenticated" });
  site.net.server.refuseLogin = refusal(proto.RefusalCode.RATE_LIMITED, { retryable: true });
  await expect(a.client.signIn({ user: "a", password: "x" })).rejects.toMatchObject({ code: "rate_limited" });
  site.net.server.refuseLogin = undefined;
  site.net.sockets = site.net.polls = "refused";
  await expect(a.client.signIn({ user: "a", password: "x" })).rejects.toBe("offline");
  expect(a.client.link.state).toBe("idle");
  site.net.sockets = site.net.polls = "open";
  await a.client.signIn({ user: "a", password: "x" });
  expect(a.client.user).toBe("a");
});

test("another user who signs in finds nothing of the one before", async () => {
  const browser = new Browser();
  const a = await site.signedIn("a", browser);
  site.net.server.say("b", "a", "secret");
  site.net.deliver();
  await until(() => of(a, "message").length >= 1);
  await a.client.signIn({ token: "c" });
  expect(a.client.user).toBe("c");
  expect(await a.client.conversations()).toEqual([]);
  expect((await a.client.history("b")).messages).toEqual([]);
});

test("signing out forgets everything, also without a network", async () => {
  const browser = new Browser();
  const a = await site.signedIn("a", browser);
  site.net.server.say("b", "a", "secret");
  site.net.deliver();
  await until(() => of(a, "message").length >= 1);
  site.net.sockets = site.net.polls = "refused";
  site.net.cut();
  await a.client.signOut();
  expect(a.client.link).toEqual({ state: "stopped", reason: { kind: "signed-out" } });
  expect(await a.client.conversations()).toEqual([]);
  a.client.close();
  expect(await site.page(browser).client.start()).toBe(false);
});

test("a failed message can be tried again or discarded", async () => {
  const a = await site.signedIn("a");
  site.net.server.refuseSends = [refusal(proto.RefusalCode.NOT_ALLOWED), refusal(proto.RefusalCode.NOT_ALLOWED)];
  const { local } = await a.client.send("b", "no");
  await until(() => of(a, "message").some((message) => message.state === "failed"));
  expect(of(a, "message").at(-1)).toMatchObject({ local, refusal: { code: "not_allowed" } });
  await a.client.resend(local!);
  await until(() => of(a, "message").filter((message) => message.state === "failed").length === 2);
  await a.client.discard(local!);
  expect(of(a, "gone")).toEqual([{ user: "b", local }]);
  expect(await texts(a, "b")).toEqual([]);
  await expect(a.client.resend(local!)).rejects.toMatchObject({ code: "not_found" });
  await expect(a.client.send("b", "x".repeat(16_385))).rejects.toMatchObject({ code: "too_big" });
});

test("a block, a deletion, a reaction and typing are told", async () => {
  const [a, b] = [await site.signedIn("a"), await site.signedIn("b")];
  await a.client.send("b", "hello");
  await until(() => of(b, "message").length >= 1);
  b.client.typing("a");
  b.client.typing("a");
  await until(() => of(a, "typing").length >= 1);
  await a.client.react("b", 1, "🎉", true);
  await until(() => of(b, "message").some((message) => message.reactions.length === 1));
  await a.client.block("b", true);
  expect((await a.client.conversations())[0]).toMatchObject({ blocked: true });
  await a.client.remove("b", [1]);
  expect(of(a, "gone")).toContainEqual({ user: "b", seq: 1 });
  expect((await a.client.history("b")).messages).toEqual([]);
  await b.client.send("a", "sent");
  await until(() => of(a, "message").some((message) => message.text === "sent"));
  expect(of(a, "typing"), "who has sent a message types no more; twice within 3 s is told once").toEqual([
    { user: "b", stopped: false },
    { user: "b", stopped: true },
  ]);
  b.client.typing("a");
  await until(() => of(a, "typing").length === 3);
});

/** A page in a time of its own. */
function inTime(browser = new Browser()): { clock: Clock; page: Page } {
  const clock = new Clock();
  return { clock, page: site.page(browser, clock.world()) };
}

test("WebSocket that is refused is left for polls at once, one that hangs after three seconds", async () => {
  site.net.sockets = "refused";
  const a = await site.signedIn("a");
  expect(a.client.link).toEqual({ state: "live", transport: "poll" });
  site.net.sockets = "hanging";
  const { clock, page } = inTime();
  const signedIn = page.client.signIn({ token: "b" });
  await clock.pass(2_900);
  expect(page.client.link.state).toBe("connecting");
  await clock.pass(200);
  await signedIn;
  expect(page.client.link).toEqual({ state: "live", transport: "poll" });
});

test("messages come through polls in both directions, also when answers are lost", async () => {
  site.net.sockets = "refused";
  const [a, b] = [await site.signedIn("a"), await site.signedIn("b")];
  for (let number = 0; number < 20; number++) {
    site.net.loseAnswer = number % 5 === 2;
    await a.client.send("b", String(number));
  }
  await until(() => of(b, "message").length >= 20);
  expect(of(b, "message").map((message) => Number(message.text))).toEqual(Array.from({ length: 20 }, (_, at) => at));
  expect(site.net.server.texts("a", "b")).toHaveLength(20);
  expect([a, b].map((page) => of(page, "link").filter((link) => link.state === "broken").length), "nobody had to reconnect").toEqual([0, 0]);
});

test("what has worked last comes first, and a WebSocket is tried again after five minutes", async () => {
  const browser = new Browser();
  const key = "hongyan.transport:https://im.example";
  browser.storage.setItem(key, "poll");
  const { clock, page } = inTime(browser);
  const signedIn = page.client.signIn({ token: "a" });
  await clock.pass(50);
  await signedIn;
  expect(site.net.socketsMade).toBe(0);
  expect(page.client.link).toEqual({ state: "live", transport: "poll" });
  await clock.pass(299_000);
  expect(site.net.socketsMade).toBe(0);
  await clock.pass(2_000);
  expect(page.client.link).toEqual({ state: "live", transport: "websocket" });
  expect(site.net.server.logins, "the session moved").toBe(1);
  expect(browser.storage.getItem(key)).toBe("websocket");
});

test("after a server's restart, who fell back to polls is soon on a WebSocket again", async () => {
  const { clock, page } = inTime();
  void page.client.signIn({ token: "a" });
  await clock.pass(3_000);
  site.net.sockets = "refused";
  site.net.cut();
  await clock.pass(3_000);
  expect(page.client.link).toEqual({ state: "live", transport: "poll" });
  site.net.sockets = "open";
  await clock.pass(21_000);
  expect(page.client.link).toEqual({ state: "live", transport: "websocket" });
});

test("a WebSocket that stands and is mute is some proxy's: polls are used instead", async () => {
  const { clock, page } = inTime();
  void page.client.signIn({ token: "a" });
  await clock.pass(50);
  expect(page.client.link.transport).toBe("websocket");
  site.net.sockets = "mute";
  site.net.cut();
  await clock.pass(20_000);
  expect(page.client.link).toEqual({ state: "live", transport: "poll" });
});

test("a laptop that wakes up finds out at once that its connection is dead", async () => {
  const { clock, page } = inTime();
  void page.client.signIn({ token: "a" });
  await clock.pass(50);
  // Asleep for 40 s, less than any time-out of the link; the network has forgotten the connection meanwhile.
  site.net.server.script = () => "lose";
  clock.sleep(40_000);
  await clock.pass(100);
  site.net.server.script = () => "pass";
  await clock.pass(4_100);
  expect(site.net.server.resumes).toBe(1);
  expect(page.client.link.state).toBe("live");
});

test("in a tab whose timers run once a minute, the link stays up", async () => {
  const { clock, page } = inTime();
  void page.client.signIn({ token: "a" });
  await clock.pass(50);
  for (let minute = 0; minute < 30; minute++) {
    clock.sleep(60_000);
    await clock.pass(0);
  }
  expect(of(page, "link").filter((link) => link.state === "broken")).toEqual([]);
  expect(site.net.server.resumes).toBe(0);
});

test("the `online` event ends the back-off", async () => {
  const page = await site.signedIn("a");
  site.net.sockets = site.net.polls = "refused";
  site.net.cut();
  await until(() => of(page, "link").filter((link) => link.state === "broken").length >= 2);
  site.net.sockets = site.net.polls = "open";
  page.tab.fire("online");
  await until(() => page.client.link.state === "live");
});

test("a page put aside by the browser lets go, and goes on when it is shown again", async () => {
  const page = await site.signedIn("a");
  page.tab.fire("pagehide", { persisted: true });
  await until(() => site.net.connections === 0);
  page.tab.fire("pageshow", { persisted: true });
  await until(() => site.net.connections === 1);
  expect(page.client.user).toBe("a");
  await until(() => page.client.link.state === "live");
});

test("kicked is told with its reason, and nothing comes back by itself", async () => {
  const a = await site.signedIn("a");
  site.net.server.notify("a", Operation.KICKOUT, proto.KickoutNotify, { reason: 1, byTerm: 4, timeMs: 9 });
  site.net.deliver();
  await until(() => a.client.link.state === "stopped");
  expect(a.client.link.reason).toEqual({ kind: "kicked", byTerm: "web", at: 9 });
  expect(site.net.connections).toBe(0);
});

test("a lost push is not lost: what the server says again is shown once", async () => {
  const [a, b] = [await site.signedIn("a"), await site.signedIn("b")];
  let lost = false;
  site.net.server.script = (_, packet) => {
    if (packet !== command(NOTIFY, Operation.MESSAGE) || lost) return packet === command(ANSWER, Operation.ACK) ? "twice" : "pass";
    lost = true;
    return "lose";
  };
  await a.client.send("b", "one");
  await a.client.send("b", "two");
  await until(() => of(b, "message").length >= 2);
  expect(of(b, "message").map((message) => message.text)).toEqual(["one", "two"]);
});

/** Tabs on other sub-domains by a frame of the server's origin: what they share, and who gets nothing. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { BridgeError } from "../src/bridge";
import { bridge, type Knock } from "../src/bridge/frame";
import { type FromFrame, type Hello, VERSION } from "../src/bridge/notes";
import type { World } from "../src/shell/world";
import { Bridges, SERVER } from "./stage/bridges";
import { Browser, Clock, settle } from "./stage/browser";
import { of, type Page, Site, texts, until } from "./stage/site";

let site: Site;
let browser: Browser;
let bridges: Bridges;
beforeEach(() => {
  site = new Site();
  browser = new Browser();
  bridges = new Bridges(site, browser);
});
afterEach(() => site.close());

const [WWW, HELP, EVIL] = ["https://www.example", "https://help.example", "https://evil.example"];
const heard = (page: Page, text: string) => until(() => of(page, "message").some((message) => message.text === text));

test("tabs of two sub-domains and of the server's own origin hold one connection, and all hear everything", async () => {
  const own = await site.signedIn("a", browser);
  const pages = [bridges.page(WWW), bridges.page(WWW), bridges.page(HELP), bridges.page(HELP)];
  for (const page of pages) expect(await page.client.start(), "the session of the server's origin").toBe(true);
  expect([site.net.connections, site.net.server.logins]).toEqual([1, 1]);
  for (const page of pages) expect([page.client.user, page.client.link.state]).toEqual(["a", "live"]);
  const b = await site.signedIn("b");
  await b.client.send("a", "to all");
  await Promise.all([own, ...pages].map((page) => heard(page, "to all")));
  expect(await pages[3]!.client.send("b", "from the fourth")).toMatchObject({ local: 1, own: true });
  await until(() => [own, ...pages].every((page) => of(page, "message").some((message) => message.state === "delivered")));
  expect(await texts(pages[0]!, "b")).toEqual(["to all", "from the fourth"]);
  await pages[2]!.client.setDraft("b", "more");
  expect(await pages[1]!.client.drafts()).toEqual(new Map([["b", "more"]]));
});

test("a page signs in by itself, is followed when its process dies, and its outbox goes on", async () => {
  const [first, second] = [bridges.page(WWW), bridges.page(HELP)];
  await first.client.signIn({ token: "a" });
  await until(() => second.client.link.state === "live");
  site.net.sockets = site.net.polls = "refused";
  site.net.cut();
  await until(() => first.client.link.state === "broken" && second.client.link.state === "broken");
  await first.client.send("b", "written offline");
  // The page and its frame, which leads.
  first.tab.crash();
  first.frame()!.crash();
  site.net.sockets = site.net.polls = "open";
  await until(() => site.net.server.texts("a", "b").length === 1);
  await until(() => second.client.link.state === "live");
  expect([site.net.connections, site.net.server.logins]).toEqual([1, 1]);
});

test("a page that closes or is put aside takes everything away with it", async () => {
  const [first, second] = [bridges.page(WWW), bridges.page(HELP)];
  await first.client.signIn({ token: "a" });
  await second.client.start();
  first.tab.fire("pagehide", { persisted: true });
  expect(bridges.frames.size).toBe(1);
  await until(() => site.net.connections === 1 && second.client.link.state === "live");
  first.tab.fire("pageshow", { persisted: true });
  await first.client.conversations();
  expect(bridges.frames.size).toBe(2);
  first.client.close();
  second.client.close();
  await until(() => site.net.connections === 0);
  expect(bridges.frames.size).toBe(0);
  await expect(first.client.conversations()).rejects.toBe("offline");
});

test("where there are no locks, a page that goes gives the lease back, so that nobody waits until it is dead", async () => {
  bridges.within = { locks: undefined };
  const page = bridges.page(WWW);
  await page.client.signIn({ token: "a" });
  const lease = () => browser.storage.getItem(`hongyan:${SERVER}:app:lease`);
  expect(lease()).not.toBeNull();
  page.client.close();
  expect(lease()).toBeNull();
});

test("a notification is made in one tab of all, and not for what a tab of another sub-domain looks at", async () => {
  const pages = [bridges.page(WWW), bridges.page(HELP), site.page(browser)];
  await pages[0]!.client.signIn({ token: "a" });
  for (const page of pages) await page.client.start();
  const b = await site.signedIn("b");
  await b.client.send("a", "nobody looks");
  await Promise.all(pages.map((page) => heard(page, "nobody looks")));
  pages[1]!.client.look("b");
  await pages[1]!.client.conversations();
  await b.client.send("a", "somebody looks");
  await Promise.all(pages.map((page) => heard(page, "somebody looks")));
  expect(pages.flatMap((page) => of(page, "notify").map((message) => message.text))).toEqual(["nobody looks"]);
});

test("refusals and answers come back as in a tab of the server's origin, and a call that is not known is refused", async () => {
  const page = bridges.page(WWW);
  await page.client.signIn({ token: "a" });
  await expect(page.client.discard(77)).rejects.toMatchObject({ code: "not_found" });
  await expect(page.client.send("b", "")).rejects.toMatchObject({ code: "invalid_argument" });
  const { tabs } = page.client as unknown as { tabs: { call(method: string): Promise<unknown> } };
  for (const method of ["inventedLater", "constructor", "__proto__"]) await expect(tabs.call(method)).rejects.toContain(method);
  await expect(page.client.setDraft("b", (() => "no text") as unknown as string)).rejects.toThrow(/clone/);
  expect(await page.client.conversations()).toEqual([]);
});

test("a room is entered, heard and left over the bridge", async () => {
  site.net.server.rooms.open("lobby");
  const page = bridges.page(WWW);
  await page.client.signIn({ token: "a" });
  const room = page.client.room("lobby", "Ann");
  await room.enter();
  expect([room.state.state, room.names]).toEqual(["in", ["Ann"]]);
  const { seq } = await room.say("hello");
  expect(seq).toBe(1);
  await room.leave();
  expect(room.state.state).toBe("out");
});

test("row 28: a page that is not listed gets an error of its own making, in time, and nothing else", async () => {
  const own = await site.signedIn("a", browser);
  const clock = new Clock();
  const evil = bridges.page(EVIL, clock.world());
  const asked = [evil.client.start(), evil.client.conversations(), evil.client.signIn({ token: "a" })];
  const refused = Promise.all(asked.map((call) => expect(call).rejects.toThrow(BridgeError)));
  await clock.pass(9_999);
  expect(of(evil, "link")).toEqual([]);
  await clock.pass(1);
  await refused;
  await own.client.send("b", "a secret");
  await settle();
  expect(of(evil, "link").map(({ state }) => state)).toEqual(["broken"]);
  // It goes on trying, and hears nothing else of it.
  await clock.pass(3_600_000);
  expect(new Set(evil.told.map(({ event, value }) => `${event} ${value.state}`))).toEqual(new Set(["link broken", "link connecting"]));
  expect(evil.client.user).toBeUndefined();
  expect(new Set(bridges.knocks.map(({ target }) => target)), "never to whoever is there").toEqual(new Set([SERVER]));
});

test("a server without a bridge is told from a slow one by a time limit, and the next call tries again", async () => {
  const clock = new Clock();
  bridges.isOld = true;
  const page = bridges.page(WWW, clock.world());
  const starting = expect(page.client.start()).rejects.toThrow(/im\.example\/bridge does not answer https:\/\/www\.example/);
  await clock.pass(10_000);
  await starting;
  expect([page.client.link.state, bridges.frames.size]).toEqual(["broken", 0]);
  bridges.isOld = false;
  await page.client.signIn({ token: "a" });
  expect(page.client.link.state).toBe("live");
});

/** A page whose server does not answer, and what it was told when it was given up for the first time. */
async function cutOff(clock: Clock, more: Partial<World> = {}): Promise<Page> {
  bridges.isOld = true;
  const page = bridges.page(WWW, { ...clock.world(), ...more });
  const starting = expect(page.client.start()).rejects.toThrow(BridgeError);
  await clock.pass(10_000);
  await starting;
  return page;
}

const attempts = () => bridges.knocks.length;

test("a server that cannot be reached is tried again after pauses that double to a minute, until it answers", async () => {
  const own = await site.signedIn("a", browser);
  const clock = new Clock();
  const page = await cutOff(clock);
  for (const whole of [1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1000)) {
    const { state, retryAt } = page.client.link;
    const pause = retryAt! - clock.now;
    expect([state, pause >= whole / 2, pause <= whole], `${pause} of ${whole}`).toEqual(["broken", true, true]);
    const before = attempts();
    await clock.pass(pause - 1);
    expect(attempts()).toBe(before);
    await clock.pass(1);
    expect([attempts(), page.client.link]).toEqual([before + 1, { state: "connecting" }]);
    await clock.pass(10_000);
  }
  bridges.isOld = false;
  await clock.pass(page.client.link.retryAt! - clock.now);
  await until(() => page.client.link.state === "live");
  expect([page.client.user, site.net.server.logins]).toEqual(["a", 1]);
  await own.client.send("b", "after that");
  await heard(page, "after that");
  // What was told in between went past it.
  expect(of(page, "reset")).toHaveLength(1);
});

test("a start that was rejected for want of a server is made up for, one that was taken back is not", async () => {
  const own = await site.signedIn("a", browser);
  own.client.close();
  const clock = new Clock();
  const page = await cutOff(clock);
  const other = bridges.page(HELP, clock.world());
  const asked = Promise.all([other.client.start(), other.client.signOut()].map((call) => expect(call).rejects.toThrow(BridgeError)));
  await clock.pass(10_000);
  await asked;
  const shut = page.client.link.retryAt;
  bridges.isOld = false;
  other.tab.fire("online");
  await settle();
  expect([other.client.link.state, site.net.connections, page.client.link.retryAt], "nobody wants a session").toEqual(["idle", 0, shut]);
  page.tab.fire("online");
  await until(() => page.client.link.state === "live" && other.client.link.state === "live");
  expect([page.client.user, site.net.server.logins, site.net.connections]).toEqual(["a", 1, 1]);
});

test("a page that gets a network or becomes visible tries at once", async () => {
  const clock = new Clock();
  let visible = false;
  const page = await cutOff(clock, { isVisible: () => visible });
  page.tab.fire("visibilitychange");
  await settle();
  expect([attempts(), page.client.link.state], "hidden").toEqual([1, "broken"]);
  visible = true;
  page.tab.fire("visibilitychange");
  await settle();
  expect([attempts(), page.client.link.state]).toEqual([2, "connecting"]);
  await clock.pass(10_000);
  page.tab.fire("online");
  await settle();
  expect([attempts(), page.client.link.state]).toEqual([3, "connecting"]);
  await clock.pass(10_000);
  // A network is a new beginning for the pauses.
  expect(page.client.link.retryAt! - clock.now).toBeLessThanOrEqual(1_000);
  bridges.isOld = false;
  page.tab.fire("online");
  await settle();
  expect([attempts(), page.client.link.state]).toEqual([4, "idle"]);
  page.tab.fire("online");
  await clock.pass(3_600_000);
  expect([attempts(), bridges.frames.size], "a frame that is there stays").toEqual([4, 1]);
});

test("a frame that was loaded without a network is replaced when there is one, and no call waits longer for it", async () => {
  const clock = new Clock();
  bridges.isOld = true;
  const [page, slow] = [bridges.page(WWW, clock.world()), bridges.page(HELP, clock.world())];
  const waiting = page.client.conversations();
  const refused = expect(slow.client.conversations()).rejects.toThrow(BridgeError);
  await clock.pass(9_000);
  slow.tab.fire("online");
  await clock.pass(999);
  expect([slow.client.link.state, bridges.frames.size]).toEqual(["idle", 2]);
  bridges.isOld = false;
  page.tab.fire("online");
  expect(await waiting).toEqual([]);
  await clock.pass(1);
  await refused;
  expect([page.client.link.state, slow.client.link.state]).toEqual(["idle", "broken"]);
});

test("a frame that goes again and again is made anew more and more seldom; one that stayed is forgiven", async () => {
  const clock = new Clock();
  const page = bridges.page(WWW, clock.world());
  await page.client.conversations();
  const pause = async () => {
    bridges.remove(page.frame()!);
    await settle();
    return page.client.link.retryAt! - clock.now;
  };
  let last = 0;
  for (let round = 0; round < 4; round++) {
    const next = await pause();
    expect(next).toBeGreaterThan(last - 1);
    last = next;
    await clock.pass(next);
    expect(page.client.link.state).toBe("idle");
  }
  expect(last).toBeGreaterThanOrEqual(4_000);
  await clock.pass(10_000);
  expect(await pause()).toBeLessThanOrEqual(1_000);
});

test("a page that is closed stays so, even by a handler in the middle of an attempt", async () => {
  const clock = new Clock();
  const [page, hasty] = [await cutOff(clock), bridges.page(HELP, clock.world())];
  hasty.client.on("link", ({ state }) => state === "connecting" && hasty.client.close());
  page.client.close();
  await clock.pass(20_000);
  expect([of(hasty, "link").map(({ state }) => state), bridges.frames.size]).toEqual([["broken", "connecting"], 0]);
  const [before, told] = [attempts(), page.told.length];
  for (const { tab } of [page, hasty]) for (const event of ["online", "visibilitychange"]) tab.fire(event);
  await clock.pass(3_600_000);
  expect([attempts(), page.told.length, bridges.frames.size]).toEqual([before, told, 0]);
});

test("a frame that is taken out of the page is made anew, the session goes on, and what was missed is said to be", async () => {
  const page = bridges.page(WWW);
  await page.client.signIn({ token: "a" });
  const frame = page.frame()!;
  bridges.remove(frame);
  await until(() => page.client.link.state === "broken");
  site.net.server.say("b", "a", "in between");
  await until(() => page.client.link.state === "live" && of(page, "reset").length === 1);
  expect(page.frame()).not.toBe(frame);
  await until(async () => (await texts(page, "b")).includes("in between"));
  expect(site.net.server.logins).toBe(1);
});

test("a frame that crashes is found out by the next call", async () => {
  const clock = new Clock();
  const page = bridges.page(WWW, clock.world());
  await page.client.signIn({ token: "a" });
  // An answered call leaves nothing that could end the frame later.
  await page.client.conversations();
  await clock.pass(60_000);
  expect(page.client.link.state).toBe("live");
  page.frame()!.crash();
  const asking = expect(page.client.conversations()).rejects.toBe("offline");
  await clock.pass(10_000);
  await asking;
  expect(page.client.link.state).toBe("broken");
  await clock.pass(1_000);
  await until(() => page.client.link.state === "live" && of(page, "reset").length === 1);
  expect(await page.client.conversations()).toEqual([]);
});

test("without locks in a frame, as where a browser forbids other sites' storage, the page is alone and works", async () => {
  const denied = { request: () => Promise.reject(new DOMException("denied", "SecurityError")) } as unknown as LockManager;
  const page = site.page(browser, { locks: denied, storage: undefined, indexedDB: undefined });
  await page.client.signIn({ token: "a" });
  expect(page.client.link.state).toBe("live");
});

/** A frame of the server's origin, and what reaches a port that is offered to it. */
function frame(page: unknown, origin: string): { knock: (more: Partial<Knock>) => Promise<FromFrame[]>; ports: MessagePort[] } {
  const { world } = site.net.world();
  const listen = bridge(page, origin, browser.tab({ ...world, origin: SERVER }).world);
  const ports: MessagePort[] = [];
  const hello: Hello = { hongyanBridge: VERSION, options: { app: "app" }, link: { state: "idle" } };
  const knock = async (more: Partial<Knock>) => {
    const { port1, port2 } = new MessageChannel();
    const told: FromFrame[] = [];
    port1.onmessage = ({ data }) => told.push(data as FromFrame);
    ports.push(port1);
    listen({ data: hello, origin, source: page as Window, ports: [port2], ...more });
    // If it is listened to, it is answered.
    port1.postMessage({ kind: "call", id: 1, method: "conversations", args: [] });
    await settle();
    return told;
  };
  return { knock, ports };
}

test("row 28: a frame answers nobody but the window around it, on its origin, with a hello, and once", async () => {
  await site.signedIn("a", browser);
  const page = {};
  const { knock, ports } = frame(page, WWW);
  const hello = { hongyanBridge: VERSION, options: { app: "app" }, link: { state: "idle" } };
  const hostile: Partial<Knock>[] = [
    { origin: EVIL },
    { origin: "null" },
    { origin: `${WWW}.evil.example` },
    { origin: "http://www.example" },
    { source: {} as Window },
    { source: null },
    { ports: [] },
    ...["hello", null, 1, {}, [], { ...hello, hongyanBridge: 0 }, { ...hello, options: null }, { ...hello, link: undefined }].map((data) => ({ data })),
    { data: { ...hello, options: { app: {} } } },
    { data: { ...hello, options: { app: "app", profile: ["x"] } } },
  ];
  for (const more of hostile) expect(await knock(more), JSON.stringify(more)).toEqual([]);
  const told = await knock({});
  expect(told.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["here", "joined", "answer"]));
  expect(await knock({}), "the place is taken").toEqual([]);
  for (const port of ports) port.close();
});

test("a page does not choose which server its frame speaks for", async () => {
  const page = {};
  const { knock, ports } = frame(page, WWW);
  const signedIn = await site.signedIn("a", browser);
  const options = { app: "app", server: "https://evil.example" } as Hello["options"];
  const told = await knock({ data: { hongyanBridge: VERSION, options, link: { state: "idle" } } });
  expect(told).toContainEqual(expect.objectContaining({ kind: "joined", state: expect.objectContaining({ user: signedIn.client.user }) }));
  for (const port of ports) port.close();
});

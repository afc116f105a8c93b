/**
 * The bridge in a real browser: tabs of the chat's own origin and of other sub-domains are one, pages that are not listed get
 * nothing. All are below one domain, because browsers part the storage of different sites; the last test is about that.
 */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Chromium, PATIENCE_MS } from "./stage/chromium";
import { Correspondents } from "./stage/correspondent";
import { leads } from "./stage/leader";
import { Neighbour, Neighbours } from "./stage/neighbour";
import { Person } from "./stage/person";
import { PASSWORD, Server } from "./stage/server";

const [CHAT, WWW, HELP, FOREIGN] = ["im.shop.localhost", "www.shop.localhost", "help.shop.localhost", "www.other.localhost"];
/** Beside the chat, and far from it. */
const EVIL = ["evil.shop.localhost", "evil.localhost"];

const PATIENT = { timeout: PATIENCE_MS };

const server = new Server();
const chromium = new Chromium();
const others = new Correspondents(server);
let neighbours: Neighbours;
let options: { server: string; app: string };

beforeAll(async () => {
  neighbours = await Neighbours.start();
  server.bridge(...[WWW, HELP, FOREIGN].map((host) => neighbours.origin(host)));
  await Promise.all([server.start(), chromium.start()]);
  options = { server: server.originAt(CHAT), app: "default" };
});
afterAll(async () => {
  others.leave();
  await Promise.all([chromium.stop(), server.remove(), neighbours.stop()]);
});
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const gone = page.waitForEvent("crash");
  // Never answered: there is nobody left to do so.
  void session.send("Page.crash").catch(() => undefined);
  await gone;
}

async function leaderOf(tabs: Neighbour[]): Promise<Neighbour | undefined> {
  const leading = await Promise.all(tabs.map((tab) => leads(tab.bridge)));
  expect(leading.filter(Boolean).length).toBeLessThanOrEqual(1);
  return tabs[leading.indexOf(true)];
}

test("the chat and tabs of two sub-domains hold one connection, whoever of them dies", async () => {
  const context = await chromium.visitor();
  const bob = await others.join("bob");
  const heard: string[] = [];
  bob.on("message", ({ own, text }) => void (own || heard.push(text)));
  const alice = await Person.signUp(context, options.server, "alice");
  await alice.open("bob");
  let tabs = await Promise.all([WWW, HELP, WWW, HELP].map((host) => Neighbour.open(context, neighbours.origin(host), options)));
  // Nobody has signed in there: the session is the chat's.
  for (const tab of tabs) expect(await tab.start()).toBe(true);
  await bob.send("alice", "to all tabs");
  await Promise.all([alice.sees("to all tabs"), ...tabs.map((tab) => tab.hears("to all tabs"))]);
  for (const [at, tab] of tabs.entries()) await tab.write("bob", `from tab ${at}`);
  const written = ["to all tabs", ...tabs.map((_, at) => `from tab ${at}`)];
  await alice.seesOnly(written);
  for (const tab of tabs) expect(await tab.texts("bob")).toEqual(written);
  expect(await leads(alice.page)).toBe(true);
  expect(await server.connections()).toBe(2);

  // The chat is closed: one of the frames goes on.
  await alice.page.close();
  await expect.poll(async () => (await leaderOf(tabs)) !== undefined, PATIENT).toBe(true);
  await bob.send("alice", "without the chat");
  await Promise.all(tabs.map((tab) => tab.hears("without the chat")));
  await expect.poll(() => server.connections(), PATIENT).toBe(2);

  // The page around the leading frame is killed.
  const leader = (await leaderOf(tabs))!;
  tabs = tabs.filter((tab) => tab !== leader);
  await crash(leader.page);
  await expect.poll(async () => (await leaderOf(tabs)) !== undefined, PATIENT).toBe(true);
  await bob.send("alice", "without the first of them");
  await Promise.all(tabs.map((tab) => tab.hears("without the first of them")));
  await expect.poll(() => server.connections(), PATIENT).toBe(2);

  // What a page has written outlives it.
  await server.kill();
  const [writer, ...rest] = tabs as [Neighbour, ...Neighbour[]];
  await writer.write("bob", "written while there was no server");
  await writer.page.close();
  await server.start();
  await expect.poll(() => heard.at(-1), PATIENT).toBe("written while there was no server");
  await Promise.all(rest.map((tab) => tab.hears("written while there was no server")));
  await expect.poll(() => server.connections(), PATIENT).toBe(2);
  await context.close();
});

test("tabs that may only poll hold one poll, and a page signs in by itself", async () => {
  await server.signUp("carol");
  const before = await server.connections();
  const context = await chromium.visitor();
  const tabs = await Promise.all([WWW, HELP].map((host) => Neighbour.open(context, neighbours.origin(host), { ...options, transport: "poll" as const })));
  const [first, second] = tabs;
  expect(await first!.start(), "nobody is signed in").toBe(false);
  await first!.signIn({ user: "carol", password: PASSWORD });
  expect(await second!.start()).toBe(true);
  const dora = await others.join("dora");
  await dora.send("carol", "hello");
  await Promise.all(tabs.map((tab) => tab.hears("hello")));
  expect(await server.connections()).toBe(before + 2);

  // A script of the page throws away what it does not know: another frame leads, and the page gets a new one.
  const leader = (await leaderOf(tabs))!;
  await leader.page.evaluate(() => document.querySelector("iframe")!.remove());
  await dora.send("carol", "still there?");
  await expect.poll(() => leader.texts("dora").catch(String), PATIENT).toEqual(["hello", "still there?"]);
  await Promise.all(tabs.filter((tab) => tab !== leader).map((tab) => tab.hears("still there?")));
  expect(await leads(leader.bridge)).toBe(false);
  await expect.poll(() => server.connections(), PATIENT).toBe(before + 2);
  await context.close();
});

test("a page that is opened while there is no server, or no network, has the session soon after by itself", async () => {
  const context = await chromium.visitor();
  const grace = await Person.signUp(context, options.server, "grace");
  await grace.page.close();
  const henry = await others.join("henry");
  await server.kill();
  const early = await Neighbour.open(context, neighbours.origin(WWW), options);
  expect(await early.refusal()).toBe("BridgeError");
  await server.start();
  // Nothing is called any more.
  await early.isLive();
  await henry.send("grace", "back again");
  await early.hears("back again");

  const cut = await context.newPage();
  await cut.goto(neighbours.origin(HELP));
  await cut.waitForFunction(() => "sdk" in window);
  await context.setOffline(true);
  const late = await Neighbour.inside(cut.mainFrame(), options);
  expect(await late.refusal()).toBe("BridgeError");
  await context.setOffline(false);
  // What the tab that leads tells before is not told again.
  await late.isLive();
  await henry.send("grace", "online again");
  await Promise.all([early, late].map((tab) => tab.hears("online again")));
  expect(await late.texts("henry")).toEqual(["back again", "online again"]);
  await context.close();
});

const HELLO = { hongyanBridge: 1, options: { app: "default" }, link: { state: "idle" } };

/** Frames the bridge without the SDK, speaks to whatever is in the frame, and collects what comes back. */
async function knock(page: Page, address: string): Promise<() => Promise<unknown[]>> {
  await page.evaluate(
    ([address, hello]) =>
      new Promise<void>((resolve) => {
        const told: unknown[] = [];
        Object.assign(window, { told });
        addEventListener("message", ({ data }) => told.push(data));
        const frame = document.createElement("iframe");
        frame.onload = () => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = ({ data }) => told.push(data);
          frame.contentWindow!.postMessage(hello, "*", [port2]);
          port1.postMessage({ kind: "call", id: 1, method: "conversations", args: [] });
          resolve();
        };
        frame.src = address;
        document.body.append(frame);
      }),
    [address, HELLO] as const,
  );
  return () => page.evaluate(() => (window as unknown as { told: unknown[] }).told);
}

/** Everything that a page of this host may try; returns how to see what came of it. */
async function attack(context: BrowserContext, host: string): Promise<[string, () => Promise<unknown[]>][]> {
  const [own, www] = [neighbours.origin(host), neighbours.origin(WWW)];
  const tried: [string, () => Promise<unknown[]>][] = [];
  // By the SDK, which says what may be wrong; and a listed page in a frame of theirs is not the listed page that was meant.
  const evil = await Neighbour.open(context, own, options);
  tried.push([`${host} around a listed page`, await knock(evil.page, www)]);
  const inside = await Neighbour.inside(evil.page.frames().find((frame) => frame.url().startsWith(www))!, options);
  const refusals = Promise.all([evil.refusal(), inside.refusal()]);
  for (const address of [`/bridge?origin=${own}`, `/bridge?origin=${www}`, "/bridge", "/bridge/index.html", "/"]) {
    const page = await context.newPage();
    await page.goto(own);
    tried.push([`${host} ${address}`, await knock(page, options.server + address)]);
    await expect.poll(() => page.frames()[1]!.url(), { ...PATIENT, message: "the browser shows nothing of it" }).toMatch(/^chrome-error:/);
  }
  // In a window of its own it has nobody to talk to.
  const opened = evil.page.waitForEvent("popup");
  await evil.page.evaluate((address) => Object.assign(window, { opened: window.open(address) }), `${options.server}/bridge?origin=${www}`);
  const alone = await opened;
  await alone.waitForLoadState();
  await alone.evaluate(() => addEventListener("message", () => Object.assign(window, { isKnocked: true })));
  await evil.page.evaluate((hello) => {
    const here = window as unknown as { opened: Window; told: unknown[] };
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => here.told.push(data);
    here.opened.postMessage(hello, "*", [port2]);
  }, HELLO);
  await alone.waitForFunction(() => "isKnocked" in window);
  expect(await refusals).toEqual(["BridgeError", "BridgeError"]);
  return tried;
}

test("row 28: pages that are not listed get nothing from the bridge, beside the chat or far from it", async () => {
  const context = await chromium.visitor();
  await Person.signUp(context, options.server, "erin");
  const tried = (await Promise.all(EVIL.map((host) => attack(context, host)))).flat();
  // The same from a page that is listed is answered.
  const www = neighbours.origin(WWW);
  const page = await context.newPage();
  await page.goto(www);
  const welcome = await knock(page, `${options.server}/bridge?origin=${www}`);
  await expect.poll(welcome, PATIENT).toContainEqual({ kind: "here" });
  await expect.poll(welcome, PATIENT).toContainEqual(expect.objectContaining({ kind: "joined", state: expect.objectContaining({ user: "erin" }) }));
  for (const [who, told] of tried) expect(await told(), who).toEqual([]);
  // The SDK tries again as long as the page lives.
  await context.close();
  expect(chromium.faults.splice(0).join()).toMatch(/frame-ancestors/);
});

test("what the bridge keeps on another site is that site's own: a session of the chat is not there, and a new one is apart", async () => {
  const context = await chromium.visitor();
  const [dave] = await Promise.all([Person.signUp(context, options.server, "dave"), server.signUp("frank")]);
  const far = await Neighbour.open(context, neighbours.origin(FOREIGN), options);
  expect(await far.start()).toBe(false);
  await far.signIn({ user: "frank", password: PASSWORD });
  await dave.open("frank");
  await dave.write("hello over there");
  await far.hears("hello over there");
  await context.close();
});

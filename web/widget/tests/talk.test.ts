// @vitest-environment node
/** The talk of a visitor with a merchant, over the real SDK and the tiny server of its tests. */
import { createClient, visitorMark } from "@hongyan/sdk";
import { afterEach, expect, test } from "vitest";
import type { World } from "../../sdk/src/shell/world";
import * as proto from "../../sdk/src/wire/proto";
import { Browser } from "../../sdk/tests/stage/browser";
import { refusal } from "../../sdk/tests/stage/server";
import { Site, texts, until } from "../../sdk/tests/stage/site";
import { Talk } from "../src/talk";

const OPTIONS = { server: "https://im.example", app: "app", visitor: true };
const HOUR_MS = 3_600_000;

let site = new Site();
let talks: Talk[] = [];
afterEach(() => {
  for (const talk of talks) talk.close();
  talks = [];
  site.close();
  site = new Site();
});

interface Shown {
  talk: Talk;
  world: World;
  clients: number;
  news: string[];
}

/** A page with the widget, before anybody has touched it. */
function page(browser = new Browser(), more: Partial<World> = {}): Shown {
  const { world: network, die } = site.net.world();
  const tab = browser.tab({ ...network, ...more });
  tab.crashed = die;
  const shown: Shown = { world: tab.world, clients: 0, news: [] } as never;
  shown.talk = new Talk("shop", {
    client: () => {
      shown.clients++;
      return createClient(OPTIONS, tab.world);
    },
    isKnown: () => visitorMark(OPTIONS, tab.world) !== undefined,
    place: () => ({ page: "https://shop.example/tea", referrer: "" }),
    clock: Date.now,
  });
  shown.talk.onNews = (message) => void shown.news.push(message.text);
  talks.push(shown.talk);
  return shown;
}

const said = ({ talk }: Shown) => [...talk.messages, ...talk.unsent].map(({ text }) => text);
const isLive = ({ talk }: Shown) => until(() => talk.link.state === "live");

test("who never speaks has no client, no connection and nothing stored", async () => {
  const browser = new Browser();
  const shown = page(browser);
  await shown.talk.resume();
  shown.talk.look(true);
  shown.talk.tellTyping(false);
  expect(shown.clients).toBe(0);
  expect(site.net.connections).toBe(0);
  expect(await browser.indexedDB.databases()).toEqual([]);
});

test("the first message makes the visitor; it is shown at once, exactly once, and gets its ticks", async () => {
  const shop = await site.signedIn("shop");
  const shown = page();
  const states = new Set<string>();
  shown.talk.onChange = () => {
    expect(said(shown).length).toBeLessThanOrEqual(1);
    for (const message of shown.talk.messages) states.add(shown.talk.stateOf(message) ?? "");
  };
  const saying = shown.talk.say("Is it open?");
  expect(said(shown)).toEqual(["Is it open?"]);
  await saying;
  await until(() => shown.talk.messages[0] !== undefined && shown.talk.stateOf(shown.talk.messages[0]) === "delivered");
  expect([...states]).toEqual(expect.arrayContaining(["sending", "delivered"]));
  expect(await texts(shop, "~v1")).toEqual(["Is it open?"]);
  shop.client.markRead("~v1", 1);
  await until(() => shown.talk.stateOf(shown.talk.messages[0]!) === "read");
});

test("a message keeps its key while it moves from this device to its place", async () => {
  const shown = page();
  const keys = new Set<string>();
  shown.talk.onChange = () => shown.talk.messages.forEach((message) => keys.add(shown.talk.keyOf(message)));
  await shown.talk.say("one");
  await until(() => shown.talk.messages[0]?.seq === 1);
  expect(keys.size).toBe(1);
});

test("an answer is counted and told until somebody looks", async () => {
  const shown = page();
  await shown.talk.say("hello");
  await isLive(shown);
  site.net.server.say("shop", "~v1", "good day");
  site.net.deliver();
  await until(() => shown.talk.unread === 1);
  await until(() => shown.news.join() === "good day");
  shown.talk.look(true);
  await until(() => shown.talk.unread === 0);
  site.net.server.say("shop", "~v1", "anything else?");
  site.net.deliver();
  await until(() => said(shown).length === 3);
  expect(shown.news).toEqual(["good day"]);
});

test("who has spoken comes back connected, with everything that was said", async () => {
  const browser = new Browser();
  const first = page(browser);
  await first.talk.say("hello");
  await until(() => first.talk.messages[0]?.seq === 1);
  first.talk.close();
  site.net.server.say("shop", "~v1", "while you were away");
  const again = page(browser, { clock: () => Date.now() + HOUR_MS });
  await again.talk.resume();
  await until(() => said(again).length === 2 && again.talk.unread === 1);
  expect(said(again)).toEqual(["hello", "while you were away"]);
  expect(site.net.server.visitors.arrivals).toMatchObject([{ mark: "" }, { mark: "mark1" }]);
});

test("another tab hears of it when the visitor speaks in the first one", async () => {
  const browser = new Browser();
  const [one, two] = [page(browser), page(browser)];
  await two.talk.resume();
  await one.talk.say("hello");
  // What the browser's `storage` event leads to.
  await two.talk.resume();
  await until(() => said(two).join() === "hello");
  expect(site.net.connections).toBe(1);
});

test("a mark that is of no use makes nobody a new visitor, until they speak again", async () => {
  const browser = new Browser();
  browser.storage.setItem("hongyan:https://im.example:app:visitor:mark", "0 forged");
  const shown = page(browser);
  await shown.talk.resume();
  expect(shown.talk.begun).toBe(false);
  expect(site.net.server.visitors.arrivals).toMatchObject([{ mark: "forged" }]);
  await shown.talk.say("hello");
  await until(() => site.net.server.texts("~v1", "shop").join() === "hello");
  expect(site.net.server.visitors.arrivals.at(-1)).toMatchObject({ mark: "" });
});

test("claimed in the middle of a visit: the talk has ended, and the next message begins another one", async () => {
  const shown = page();
  await shown.talk.say("hello");
  await until(() => shown.talk.messages[0]?.seq === 1);
  const alice = await site.signedIn("alice");
  await alice.client.claimVisitor(visitorMark(OPTIONS, shown.world)!);
  await until(() => shown.talk.ended);
  await shown.talk.say("hello again");
  await until(() => said(shown).join() === "hello again" && shown.talk.messages[0]?.seq === 1);
  expect(shown.talk.ended).toBe(false);
  expect(site.net.server.texts("~v2", "shop")).toEqual(["hello again"]);
});

test("claimed while the page was closed for a moment: nothing is shown, and the next message begins another talk", async () => {
  const browser = new Browser();
  const first = page(browser);
  await first.talk.say("hello");
  await until(() => first.talk.messages[0]?.seq === 1);
  const mark = visitorMark(OPTIONS, first.world)!;
  first.talk.close();
  const alice = await site.signedIn("alice");
  await alice.client.claimVisitor(mark);
  const again = page(browser);
  await again.talk.resume();
  await until(() => said(again).length === 0);
  await again.talk.say("hello again");
  await until(() => site.net.server.texts("~v2", "shop").join() === "hello again");
});

test("a visitor whom an account has claimed begins anew with the next message", async () => {
  const browser = new Browser();
  const first = page(browser);
  await first.talk.say("hello");
  await until(() => first.talk.messages[0]?.seq === 1);
  first.talk.close();
  site.net.server.visitors.claim(visitorMark(OPTIONS, first.world)!, "alice");
  const again = page(browser, { clock: () => Date.now() + HOUR_MS });
  await again.talk.resume();
  await until(() => said(again).length === 0);
  await again.talk.say("hello again");
  await until(() => site.net.server.texts("~v2", "shop").join() === "hello again");
  expect(said(again)).toEqual(["hello again"]);
});

test("where nothing may be kept, one can talk all the same", async () => {
  const denied = () => {
    throw new Error("denied");
  };
  const shown = page(new Browser(), { storage: { getItem: denied, setItem: denied, removeItem: denied }, indexedDB: undefined, locks: undefined, BroadcastChannel: undefined });
  await shown.talk.resume();
  expect(shown.clients).toBe(0);
  await shown.talk.say("hello");
  await until(() => shown.talk.messages[0]?.seq === 1);
});

test("without a connection the message waits; refused for good, it can be tried again", async () => {
  site.net.sockets = site.net.polls = "refused";
  const shown = page();
  void shown.talk.say("one");
  await until(() => shown.talk.link.state === "broken");
  expect(shown.talk.unsent).toMatchObject([{ text: "one", state: "sending" }]);
  site.net.server.refuseLogin = refusal(proto.RefusalCode.NOT_ALLOWED);
  site.net.sockets = site.net.polls = "open";
  await until(() => shown.talk.unsent[0]?.state === "failed");
  site.net.server.refuseLogin = undefined;
  await shown.talk.retry(shown.talk.unsent[0]!);
  await until(() => shown.talk.messages[0]?.seq === 1);
  expect(said(shown)).toEqual(["one"]);
});

test("a merchant whom nobody knows: the message fails, and says so", async () => {
  site.net.server.refuseSends = [refusal(proto.RefusalCode.NOT_FOUND)];
  const shown = page();
  await shown.talk.say("hello");
  await until(() => shown.talk.messages[0]?.state === "failed");
  await shown.talk.resend(shown.talk.messages[0]!);
  await until(() => shown.talk.messages[0]?.seq === 1);
});

test("earlier messages come page by page, in order", async () => {
  const shown = page();
  await shown.talk.say("first");
  await isLive(shown);
  shown.talk.close();
  for (let at = 0; at < 100; at++) site.net.server.say("shop", "~v1", `message ${at}`);
  // Longer ago than the inbox is kept.
  site.net.server.trimInbox("~v1");
  const again = page();
  again.world.storage!.setItem("hongyan:https://im.example:app:visitor:mark", "0 mark1");
  await again.talk.resume();
  await until(() => again.talk.messages.length > 0 && again.talk.hasOlder);
  while (again.talk.hasOlder) await again.talk.older();
  const seqs = again.talk.messages.map(({ seq }) => seq);
  expect(seqs).toEqual([...Array(101).keys()].map((at) => at + 1));
});

/** Visitors of a site: how they are known again, what merchants see of them, and what becomes of them with an account. */
import { afterEach, expect, test } from "vitest";
import { forgetVisitorMark, visitorMark } from "../src/client";
import { partsOf } from "../src/core/alias";
import { placeOf } from "../src/shell/place";
import type { World } from "../src/shell/world";
import * as proto from "../src/wire/proto";
import { Browser } from "./stage/browser";
import { refusal } from "./stage/server";
import { of, type Page, Site, texts, until } from "./stage/site";

const PLACE = { page: "https://shop.example/tea", referrer: "https://search.example/" };
const MINUTE_MS = 60_000;
const OPTIONS = { server: "https://im.example", app: "app" };

let site = new Site();
afterEach(() => {
  site.close();
  site = new Site();
});

/** A page of the shop. */
function shopPage(browser: Browser, more: Partial<World> = {}): Page {
  return site.page(browser, more, { visitor: true });
}

async function visitor(browser = new Browser(), more: Partial<World> = {}): Promise<Page> {
  const page = shopPage(browser, more);
  await page.client.signIn({ visitor: { ...PLACE } });
  return page;
}

const markOf = (page: Page) => visitorMark(OPTIONS, page.tab.world);

test("a visitor speaks at once and says where they are; the merchant sees who comes", async () => {
  const shop = await site.signedIn("shop");
  site.net.server.time = 100 * MINUTE_MS;
  const page = await visitor();
  expect(page.client.user).toBe("~v1");
  expect(site.net.server.visitors.arrivals).toMatchObject([{ mark: "", ...PLACE }]);
  await page.client.send("shop", "Is it open?");
  await until(() => of(shop, "conversation").some(({ visitor }) => visitor));
  expect(of(shop, "conversation").at(-1)).toMatchObject({
    user: "~v1",
    unread: 1,
    readOnly: false,
    visitor: { visits: 1, page: PLACE.page, referrer: PLACE.referrer, firstVisit: site.net.server.time },
  });
});

test("what is known of a visitor is asked for once a visit, not with each message", async () => {
  const shop = await site.signedIn("shop");
  site.net.server.time = 100 * MINUTE_MS;
  const page = await visitor();
  let asked = 0;
  site.net.server.script = (_, packet) => {
    if (packet === 0x1_0018) asked++;
    return "pass";
  };
  for (const text of ["one", "two", "three"]) await page.client.send("shop", text);
  await until(async () => (await texts(shop, "~v1")).length === 3);
  expect(asked).toBe(1);
});

test("a visitor who comes back is the same: with the session within half an hour, by the mark after it", async () => {
  const browser = new Browser();
  let clock = Date.now();
  const more = { clock: () => clock };
  const first = await visitor(browser, more);
  await first.client.send("shop", "hello");
  await until(() => site.net.server.texts("~v1", "shop").length === 1);
  first.client.close();

  clock += 20 * MINUTE_MS;
  const second = await visitor(browser, more);
  expect(site.net.server.logins, "the same visit").toBe(1);
  expect(await texts(second, "shop")).toEqual(["hello"]);
  second.client.close();

  clock += 20 * MINUTE_MS;
  const third = await visitor(browser, more);
  expect(site.net.server.logins).toBe(2);
  expect(site.net.server.visitors.arrivals[1]).toMatchObject({ mark: "mark1" });
  expect(third.client.user).toBe("~v1");
  expect(markOf(third), "each mark replaces the one before").toBe("mark2");
});

test("either half of what is kept is enough: the database, or localStorage", async () => {
  const browser = new Browser();
  (await visitor(browser)).client.close();
  const { storage } = browser.tab().world;
  const kept = storage!.getItem("hongyan:https://im.example:app:visitor:mark");
  expect(kept).toMatch(/^\d+ mark1$/);

  storage!.removeItem("hongyan:https://im.example:app:visitor:mark");
  const fromDatabase = await visitor(browser);
  expect(fromDatabase.client.user).toBe("~v1");
  fromDatabase.client.close();

  const wiped = new Browser();
  wiped.storage.setItem("hongyan:https://im.example:app:visitor:mark", `0 ${markOf(fromDatabase)}`);
  expect((await visitor(wiped)).client.user).toBe("~v1");
});

test("where nothing may be kept, the visitor lives as long as the tab", async () => {
  const forbidden = { getItem: () => { throw new Error("denied"); }, setItem: () => { throw new Error("denied"); }, removeItem: () => { throw new Error("denied"); } };
  const page = await visitor(new Browser(), { storage: forbidden, indexedDB: undefined, locks: undefined, BroadcastChannel: undefined });
  await page.client.send("shop", "hello");
  await until(() => site.net.server.texts("~v1", "shop").length === 1);
  expect(markOf(page)).toBeUndefined();
});

test("a mark that is forged, and one that an account has claimed, are refused and thrown away; then a new visitor begins", async () => {
  for (const code of ["unauthenticated", "conflict"]) {
    const browser = new Browser();
    if (code === "unauthenticated") browser.storage.setItem("hongyan:https://im.example:app:visitor:mark", "0 forged");
    else {
      const before = await visitor(browser);
      site.net.server.visitors.claim(markOf(before)!, "somebody");
      before.client.close();
    }
    const page = shopPage(browser, { clock: () => Date.now() + 60 * MINUTE_MS });
    await expect(page.client.signIn({ visitor: { ...PLACE } })).rejects.toMatchObject({ code });
    expect(markOf(page)).toBeUndefined();
    await page.client.signIn({ visitor: { ...PLACE } });
    expect(site.net.server.visitors.arrivals.at(-1)).toMatchObject({ mark: "" });
    await page.client.send("shop", code);
    await until(() => site.net.server.texts(page.client.user!, "shop").join() === code);
  }
});

test("without a network a visitor waits, and nobody has to sign in again", async () => {
  site.net.sockets = site.net.polls = "refused";
  const page = shopPage(new Browser());
  const arrived = page.client.signIn({ visitor: { ...PLACE } });
  await until(() => page.client.link.state === "broken");
  site.net.sockets = site.net.polls = "open";
  page.tab.fire("online");
  await arrived;
  expect(page.client.user).toBe("~v1");
});

test("two tabs that begin at the same time are one visitor over one connection", async () => {
  const browser = new Browser();
  const [one, two] = await Promise.all([visitor(browser), visitor(browser)]);
  expect([one.client.user, two.client.user]).toEqual(["~v1", "~v1"]);
  expect(site.net.server.logins).toBe(1);
  expect(site.net.connections).toBe(1);
});

test("a session that the server has forgotten goes on by the mark, without a word", async () => {
  const browser = new Browser();
  (await visitor(browser)).client.close();
  site.net.server.forgetSessions();
  const page = await visitor(browser);
  expect(page.client.user).toBe("~v1");
  expect(site.net.server.logins).toBe(2);
});

test("what is kept for a visitor lies apart from what is kept for an account", async () => {
  const browser = new Browser();
  const account = await site.signedIn("alice", browser);
  const page = await visitor(browser);
  expect([account.client.user, page.client.user]).toEqual(["alice", "~v1"]);
  expect(account.client.link.state).toBe("live");
});

test("an account claims what it said as a visitor: read-only history for both, and nothing is renumbered", async () => {
  const browser = new Browser();
  const shop = await site.signedIn("shop");
  const page = await visitor(browser);
  await page.client.send("shop", "Is it open?");
  await until(() => of(shop, "message").length === 1);
  await shop.client.send("~v1", "Until six.");
  await until(() => of(page, "message").some(({ own }) => !own));

  const alice = await site.signedIn("alice", browser);
  const mark = markOf(page)!;
  expect(await alice.client.claimVisitor(mark)).toBe("~v1");
  expect(await alice.client.claimVisitor(mark), "again is harmless").toBe("~v1");
  await until(() => of(alice, "conversation").some(({ asVisitor }) => asVisitor));
  forgetVisitorMark(OPTIONS, page.tab.world);
  expect(markOf(page)).toBeUndefined();

  await until(() => page.client.link.reason?.kind === "revoked");

  const listed = (await alice.client.conversations()).filter(({ asVisitor }) => asVisitor);
  expect(listed).toMatchObject([{ user: "shop", asVisitor: "~v1", readOnly: true, unread: 0, last: { text: "Until six.", user: "shop" } }]);
  const { messages } = await alice.client.history("shop", { asVisitor: "~v1" });
  expect(messages).toMatchObject([
    { user: "shop", own: true, seq: 1, text: "Is it open?" },
    { user: "shop", own: false, seq: 2, text: "Until six." },
  ]);
  expect((await alice.client.history("shop")).messages, "the account's own conversation is another one").toEqual([]);

  await until(() => of(shop, "conversation").at(-1)?.visitor?.account === "alice");
  expect(of(shop, "conversation").at(-1)).toMatchObject({ user: "~v1", readOnly: true });
  await expect(shop.client.send("~v1", "Are you there?")).rejects.toMatchObject({ code: "not_allowed" });
  await alice.client.send("shop", "I have an account now");
  await until(async () => (await texts(shop, "alice")).length === 1);
  expect(await texts(shop, "~v1")).toEqual(["Is it open?", "Until six."]);

  // The next page of an account knows it from its own database, also while offline.
  alice.client.close();
  site.net.sockets = site.net.polls = "refused";
  const again = site.page(browser);
  await again.client.start();
  await until(async () => (await again.client.conversations()).length === 2);
  await until(() => again.client.link.state === "broken");
  expect((await again.client.history("shop", { asVisitor: "~v1" })).messages.map(({ text }) => text)).toEqual(["Is it open?", "Until six."]);
});

test("a claim that is refused says why", async () => {
  const alice = await site.signedIn("alice");
  await expect(alice.client.claimVisitor("forged")).rejects.toMatchObject({ code: "unauthenticated" });
});

test("overload is waited out by a visitor who signs in", async () => {
  site.net.server.refuseLogin = refusal(proto.RefusalCode.TRY_LATER, { retryable: true });
  const page = shopPage(new Browser());
  const arrived = page.client.signIn({ visitor: { ...PLACE } });
  await until(() => page.client.link.state === "broken");
  site.net.server.refuseLogin = undefined;
  page.tab.fire("online");
  await arrived;
});

test("a place is told without what may be secret, and cut", async () => {
  expect(placeOf("https://shop.example/cart?token=abc#pay")).toBe("https://shop.example/cart");
  expect(placeOf("https://user:secret@shop.example/")).toBe("https://shop.example/");
  expect(placeOf(`https://shop.example/${"a".repeat(1_000)}`)).toHaveLength(512);
  expect([placeOf(""), placeOf("about:blank"), placeOf("file:///home/me/x.html"), placeOf("data:text/html,x")]).toEqual(["", "", "", ""]);
  const page = shopPage(new Browser());
  await page.client.signIn({ visitor: { page: "https://shop.example/cart?token=abc", referrer: "about:blank" } });
  expect(site.net.server.visitors.arrivals).toMatchObject([{ page: "https://shop.example/cart", referrer: "" }]);
});

test("names within a device: visitors' own, and what an account was", () => {
  expect(partsOf("shop")).toEqual({ user: "shop", asVisitor: "" });
  expect(partsOf("~v1")).toEqual({ user: "~v1", asVisitor: "" });
  expect(partsOf("shop~v1")).toEqual({ user: "shop", asVisitor: "~v1" });
});

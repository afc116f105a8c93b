/** Groups as applications have them: in every tab, over the bridge, out of the database, and by the functions of `groups`. */
import { afterEach, expect, test } from "vitest";
import type { Message } from "../src/api";
import * as groups from "../src/groups";
import { createVisitorClient } from "../src/visitor";
import { Operation } from "../src/wire/command";
import { Bridges } from "./stage/bridges";
import { Browser } from "./stage/browser";
import { of, type Page, Site, texts, until } from "./stage/site";

let site = new Site();
afterEach(() => {
  site.close();
  site = new Site();
});

const TEAM = "#team";
const conversation = async (page: Page) => (await page.client.conversations()).find(({ user }) => user === TEAM);
const isIn = (page: Page) => until(async () => (await conversation(page))?.group !== undefined);

test("a group is made, talked in, changed and left by functions, from a tab that does not lead and over the bridge", async () => {
  const browser = new Browser();
  await site.signedIn("a", browser);
  const tab = site.page(browser);
  const bridged = new Bridges(site, browser).page("https://www.example");
  const b = await site.signedIn("b");
  expect(await groups.createGroup(tab.client, { title: "The team", group: "team", users: ["b"] })).toBe("team");
  for (const page of [tab, bridged, b]) await isIn(page);
  expect((await conversation(b))?.group).toMatchObject({ group: "team", title: "The team", memberCount: 2, role: "member", left: false });

  await bridged.client.send(TEAM, "hello b", { mentions: ["b"] });
  await until(async () => (await conversation(b))?.unread === 1);
  expect((await conversation(b))?.group?.mentionSeq).toBe(3);
  expect(of(b, "notify")).toMatchObject([{ user: TEAM, sender: "a", text: "hello b", mentions: ["b"], own: false }]);
  for (const page of [tab, bridged]) await until(() => of(page, "message").some(({ seq, local, own, sender }) => seq === 3 && local === 1 && own && sender === "a"));
  b.client.markRead(TEAM, 3);
  await until(async () => (await conversation(b))?.unread === 0);
  expect((await conversation(b))?.group?.mentionSeq).toBe(0);
  await until(async () => (await groups.receipts(tab.client, "team", 3)).read === 1);
  expect(await groups.receipts(tab.client, "team", 3)).toMatchObject({ members: 1, readers: ["b"] });
  expect(await groups.members(bridged.client, "team")).toMatchObject({ members: [{ user: "a", role: "member" }, { user: "b" }] });

  await groups.setProfile(tab.client, "team", { title: "Another title" });
  await until(async () => (await conversation(bridged))?.group?.title === "Another title");
  expect(of(b, "message").at(-1)).toMatchObject({ sender: "a", event: { title: "Another title" } });
  await groups.removeMembers(tab.client, "team", ["b"]);
  await until(async () => (await conversation(b))?.readOnly === true);
  await expect(b.client.send(TEAM, "one more")).rejects.toMatchObject({ code: "not_allowed" });
  await expect(groups.invite(b.client, "team", ["c"])).rejects.toMatchObject({ code: "not_found" });
});

test("a group comes out of the database as it was, beside the person of the same name", async () => {
  const browser = new Browser();
  const a = await site.signedIn("a", browser);
  const person = await site.signedIn("team");
  const b = await site.signedIn("b");
  await groups.createGroup(a.client, { title: "The team", group: "team", users: ["b"] });
  await isIn(a);
  await isIn(b);
  await a.client.send(TEAM, "to the group");
  await a.client.send("team", "to the person");
  await person.client.send("a", "hi");
  await until(() => of(a, "message").some(({ text }) => text === "hi"));
  await until(() => site.net.server.groups.texts("team").length === 1);
  await until(() => of(b, "message").some(({ text }) => text === "to the group"));
  a.tab.crash();
  site.net.sockets = site.net.polls = "refused";
  const again = site.page(browser);
  expect(await again.client.start()).toBe(true);
  await until(() => again.client.link.state === "broken");
  expect((await conversation(again))?.group?.title).toBe("The team");
  expect((await texts(again, TEAM)).filter(Boolean)).toEqual(["to the group"]);
  expect(await texts(again, "team")).toEqual(["to the person", "hi"]);
});

test("reactions of a group say how many, and who", async () => {
  const [a, b] = [await site.signedIn("a"), await site.signedIn("b")];
  await groups.createGroup(a.client, { title: "The team", group: "team", users: ["b"] });
  await isIn(a);
  await isIn(b);
  await a.client.send(TEAM, "hello");
  await until(() => of(b, "message").some(({ text }) => text === "hello"));
  await b.client.react(TEAM, 3, "👍", true);
  const newest = (page: Page): Message | undefined => of(page, "message").findLast(({ seq }) => seq === 3);
  for (const page of [a, b]) await until(() => newest(page)?.reactions.length === 1);
  for (const page of [a, b]) expect(newest(page)?.reactions).toEqual([{ emoji: "👍", count: 1, users: ["b"] }]);
});

test("who leaves the screen of a group acknowledges at once what was stored, from whatever tab", async () => {
  const browser = new Browser();
  // Time that would do it by itself does not pass.
  const still = { setTimeout: (run: () => void, ms: number) => (ms < 4_000 ? setTimeout(run, ms) : 0) as unknown as number };
  await site.signedIn("b", browser, still);
  const tab = site.page(browser, still);
  const a = await site.signedIn("a");
  await groups.createGroup(a.client, { title: "The team", group: "team", users: ["b"] });
  await isIn(tab);
  tab.client.look(TEAM);
  await a.client.send(TEAM, "hello");
  await until(() => of(tab, "message").some(({ text }) => text === "hello"));
  expect(site.net.server.groups.stored("team", "b")).toBeLessThan(3);
  tab.client.look(undefined);
  await until(() => site.net.server.groups.stored("team", "b") === 3);
});

test("by bytes nothing can be asked that the core answers for", async () => {
  const a = await site.signedIn("a");
  for (const operation of [Operation.LOGOUT, Operation.SEND, Operation.ACK, Operation.GROUPS, Operation.GROUP_ACK, 999]) {
    await expect(a.client.ask(operation, new Uint8Array(0)), String(operation)).rejects.toMatchObject({ code: "invalid_argument" });
  }
});

test("a visitor's client asks for no groups", async () => {
  const { world } = site.net.world();
  const tab = new Browser().tab(world);
  const visitor = site.add(tab, createVisitorClient({ server: "https://im.example/", app: "app" }, tab.world));
  await visitor.client.signIn({ visitor: { page: "https://shop.example/", referrer: "" } });
  await visitor.client.send("b", "is anybody there?");
  await until(() => of(visitor, "message").some(({ state }) => state === "sent"));
  expect(of(visitor, "caughtUp").length).toBeGreaterThan(0);
  expect(site.net.server.groups.asked).toEqual([]);
});

/** Many tabs, one connection: who leads, who takes over, and where a notification is made. */
import { afterEach, expect, test } from "vitest";
import type { World } from "../src/shell/world";
import { command, Operation, REQUEST } from "../src/wire/command";
import { Browser, Clock } from "./stage/browser";
import { of, type Page, Site, texts, until } from "./stage/site";

let site = new Site();
afterEach(() => {
  site.close();
  site = new Site();
});

/** With Web Locks, and with the lease that stands in for them. */
const elections: [string, Partial<World>][] = [
  ["locks", {}],
  ["a lease", { locks: undefined }],
];

async function five(more: Partial<World>): Promise<{ browser: Browser; pages: Page[] }> {
  const browser = new Browser();
  const pages = [await site.signedIn("a", browser, more)];
  for (let number = 1; number < 5; number++) {
    const page = site.page(browser, more);
    expect(await page.client.start()).toBe(true);
    pages.push(page);
  }
  return { browser, pages };
}

for (const [name, more] of elections) {
  test(`five tabs hold one connection, and all hear everything (${name})`, { timeout: 10_000 }, async () => {
    const { pages } = await five(more);
    expect(site.net.connections).toBe(1);
    for (const page of pages) expect([page.client.user, page.client.link.state]).toEqual(["a", "live"]);
    const b = await site.signedIn("b");
    await b.client.send("a", "to all");
    await until(() => pages.every((page) => of(page, "message").length >= 1));
    const sent = await pages[3]!.client.send("b", "from the fourth");
    expect(sent.local).toBe(1);
    await until(() => pages.every((page) => of(page, "message").some((message) => message.state === "delivered")));
    expect(await texts(pages[4]!, "b")).toEqual(["to all", "from the fourth"]);
    expect(site.net.server.logins).toBe(2);
  });

  test(`a leader that dies is followed within its time, and nothing that was asked is lost (${name})`, { timeout: 20_000 }, async () => {
    const { pages } = await five(more);
    const [leader, second] = pages as [Page, Page];
    // The call is on its way to the leader, which dies before it answers.
    site.net.server.script = (_, packet) => {
      if (packet === command(REQUEST, Operation.SEND)) leader.tab.crash();
      return "pass";
    };
    const begun = Date.now();
    const sending = second.client.send("b", "hold on");
    await until(() => leader.tab.isDead);
    site.net.server.script = () => "pass";
    expect(await sending).toMatchObject({ text: "hold on", own: true });
    await until(() => of(second, "message").some((message) => message.seq === 1));
    // Locks pass at once; a lease is dead after 3 s.
    expect(Date.now() - begun).toBeLessThan(name === "locks" ? 2_000 : 5_000);
    expect(site.net.server.texts("a", "b"), "once, whoever has asked how often").toEqual(["hold on"]);
    expect(site.net.server.logins, "the session goes on").toBe(1);
    await until(() => pages.slice(1).every((page) => page.client.link.state === "live"));
  });
}

test("calls that the dead leader had taken are made again under their ids", async () => {
  const { pages } = await five({});
  const [leader, second] = pages as [Page, Page];
  await second.client.send("b", "one");
  leader.tab.crash();
  const all = Promise.all(["two", "three", "four"].map((text) => second.client.send("b", text)));
  expect((await all).map((message) => message.text)).toEqual(["two", "three", "four"]);
  await until(() => site.net.server.texts("a", "b").length === 4);
  expect(site.net.server.texts("a", "b")).toEqual(["one", "two", "three", "four"]);
});

test("a call that is under way is not made again because another tab is opened", async () => {
  const browser = new Browser();
  const leader = await site.signedIn("a", browser);
  const second = site.page(browser);
  await second.client.start();
  await second.client.send("b", "hello");
  await until(() => of(second, "message").some((message) => message.seq === 1));
  let edits = 0;
  site.net.server.script = (_, packet) => {
    if (packet !== command(REQUEST, Operation.EDIT)) return "pass";
    edits++;
    return "lose";
  };
  const editing = second.client.edit("b", 1, "hello!").catch(() => undefined);
  await until(() => edits === 1);
  const third = site.page(browser);
  await third.client.start();
  await second.client.conversations();
  expect(edits).toBe(1);
  leader.client.close();
  site.net.server.script = () => "pass";
  await editing;
  expect(await texts(second, "b"), "the next leader makes it").toEqual(["hello!"]);
});

test("a tab that closes hands over at once", async () => {
  const { pages } = await five({});
  pages[0]!.client.close();
  pages[1]!.client.close();
  await until(() => site.net.connections === 1);
  await pages[4]!.client.send("b", "still here");
  await until(() => site.net.server.texts("a", "b").length === 1);
});

test("a leader that was too slow to renew its lease writes nothing more, and may lead again later", async () => {
  const browser = new Browser();
  const clock = new Clock();
  const a = site.page(browser, { ...clock.world(), locks: undefined });
  void a.client.signIn({ token: "a" });
  await clock.pass(500);
  expect(a.client.link.state).toBe("live");
  const taken = () => browser.storage.setItem("hongyan:https://im.example:app:lease", `another ${clock.now}`);
  taken();
  site.net.server.say("b", "a", "for whoever leads now");
  site.net.deliver();
  await clock.pass(10);
  expect(of(a, "message")).toEqual([]);
  await clock.pass(990);
  expect(site.net.connections).toBe(0);
  await clock.pass(4_500);
  expect(a.client.link.state).toBe("live");
  expect(of(a, "message").map((message) => message.text)).toEqual(["for whoever leads now"]);
});

test("signing out in one tab signs out all", async () => {
  const { pages } = await five({});
  await pages[2]!.client.signOut();
  await until(() => pages.every((page) => page.client.link.state === "stopped" && page.client.user === undefined));
  expect(site.net.connections).toBe(0);
});

test("a refusal reaches the tab that has asked", async () => {
  const { pages } = await five({});
  await expect(pages[3]!.client.discard(77)).rejects.toMatchObject({ code: "not_found" });
  await expect(pages[3]!.client.send("b", "")).rejects.toMatchObject({ code: "invalid_argument" });
});

test("tabs without a channel are alone, and still work", async () => {
  const a = await site.signedIn("a", new Browser(), { BroadcastChannel: undefined });
  const b = await site.signedIn("b", new Browser(), { BroadcastChannel: undefined, locks: undefined, storage: undefined });
  await a.client.send("b", "hello");
  await until(() => of(b, "message").length >= 1);
});

test("a notification is made once over all tabs, and not for what somebody looks at", async () => {
  const { pages } = await five({});
  const notified = () => pages.flatMap((page) => of(page, "notify").map((message) => message.text));
  const arrived = (text: string) => until(() => pages.every((page) => of(page, "message").some((message) => message.text === text)));
  const b = await site.signedIn("b");
  await b.client.send("a", "nobody looks");
  await arrived("nobody looks");
  expect(notified()).toEqual(["nobody looks"]);

  pages[2]!.client.look("b");
  await pages[2]!.client.conversations();
  await b.client.send("a", "the third tab looks");
  await arrived("the third tab looks");
  pages[2]!.client.look(undefined);
  pages[1]!.client.look("c");
  await pages[2]!.client.conversations();
  await pages[1]!.client.conversations();
  await b.client.send("a", "somebody looks elsewhere");
  await arrived("somebody looks elsewhere");
  expect(notified()).toEqual(["nobody looks", "somebody looks elsewhere"]);
});

test("of what waited while everything was closed, the last message of each conversation is notified", async () => {
  const browser = new Browser();
  const a = await site.signedIn("a", browser);
  a.client.close();
  for (const text of ["1", "2", "3"]) site.net.server.say("b", "a", text);
  site.net.server.say("c", "a", "4");
  const again = site.page(browser);
  await again.client.start();
  await until(() => of(again, "caughtUp").length >= 1);
  expect(of(again, "message")).toHaveLength(4);
  const notified = () => of(again, "notify").map((message) => message.text);
  expect(notified()).toEqual(["3", "4"]);
  // The same while the connection is away.
  site.net.sockets = site.net.polls = "refused";
  site.net.cut();
  await until(() => again.client.link.state === "broken");
  for (const text of ["5", "6", "7"]) site.net.server.say("b", "a", text);
  site.net.sockets = site.net.polls = "open";
  again.tab.fire("online");
  await until(() => of(again, "caughtUp").length >= 2);
  expect(notified()).toEqual(["3", "4", "7"]);
});

/** How long the chat takes until it can be used, and how smoothly a very long conversation scrolls. */
import type { Client } from "@hongyan/sdk";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Chromium } from "../stage/chromium";
import { Correspondents } from "../stage/correspondent";
import { Person } from "../stage/person";
import { Server } from "../stage/server";

/** First loads, each in a browser without a cache. */
const LOADS = 10;
const MESSAGES = Number(process.env["MESSAGES"] ?? 5_000);
/** Messages under way at once while the conversation is written. */
const AT_ONCE = 500;
/** Between two looks at whether they have arrived. */
const LOOK_MS = 10;
/** What a fast hand turns a wheel by, and how often, for so long at most. */
const WHEEL_PX = 3_000;
const WHEEL_MS = 30;
const SCROLL_MS_MAX = 1_200_000;
/** For a tab to take in what came while it was away or could not keep up. */
const CATCH_UP_MS_MAX = 600_000;

const chromium = new Chromium();
const server = new Server();
const correspondents = new Correspondents(server);

beforeAll(async () => {
  server.unlimited();
  await Promise.all([chromium.start(), server.start()]);
});

afterAll(async () => {
  correspondents.leave();
  await chromium.stop();
  await server.remove();
});

const tell = (what: string, figure: string): void => void process.stdout.write(`${what.padEnd(58)} ${figure}\n`);
const ms = (time: number): string => `${time.toFixed(0)} ms`;
const spread = (times: number[]): string => {
  const sorted = times.sort((one, other) => one - other);
  return `median ${ms(sorted[Math.floor(sorted.length / 2)]!)}, longest ${ms(sorted.at(-1)!)}`;
};

test("first load", async () => {
  const times: number[] = [];
  for (let load = 0; load < LOADS; load += 1) {
    const context = await chromium.visitor();
    const page = await context.newPage();
    const begun = performance.now();
    await page.goto(server.origin, { waitUntil: "commit" });
    await page.locator("input[name=user]").fill("alice");
    times.push(performance.now() - begun);
    await context.close();
  }
  tell("opened for the first time, until a name can be typed", spread(times));
});

/** Every task of the page that took longer than 50 ms, from here on. */
async function watchTasks(page: Page): Promise<void> {
  await page.evaluate(() => {
    const tasks: number[] = [];
    Object.assign(window, { longTasks: tasks });
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
  });
}

async function tellTasks(page: Page, what: string): Promise<void> {
  const tasks = await page.evaluate(() => (window as unknown as { longTasks: number[] }).longTasks.splice(0));
  const longest = tasks.length ? `longest ${ms(Math.max(...tasks))}` : "none";
  tell(what, `${tasks.length} tasks over 50 ms, ${tasks.filter((task) => task > 100).length} over 100 ms, ${longest}`);
}

async function fill(from: Client, to: string, count: number): Promise<void> {
  // A message is told again when something becomes known of it.
  const stored = new Set<number>();
  from.on("message", ({ own, seq }) => {
    if (own && seq !== undefined) stored.add(seq);
  });
  for (let sent = 0; sent < count; sent += AT_ONCE) {
    const texts = Array.from({ length: Math.min(AT_ONCE, count - sent) }, (_, at) => text(sent + at));
    await Promise.all(texts.map((text) => from.send(to, text)));
    // What is kept in the outbox is not at the server yet.
    while (stored.size < sent + texts.length) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Of different lengths, as people write; now and then one that takes several lines. */
const text = (number: number): string => `${number} ${"so it goes on ".repeat(number % 7 === 0 ? 20 : number % 5)}`.trim();

/** Turns the wheel until there is nothing more; how many messages the list then holds. */
async function scroll(page: Page, by: number, done: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + SCROLL_MS_MAX;
  await page.locator(".messages-scroller").hover();
  while (performance.now() < end && !(await done())) {
    for (let turn = 0; turn < 20; turn += 1) {
      await page.mouse.wheel(0, by);
      await page.waitForTimeout(WHEEL_MS);
    }
  }
}

test(`${MESSAGES} messages`, async () => {
  const context = await chromium.visitor();
  const alice = await Person.signUp(context, server.origin, "alice");
  // Nobody is written so much before they take it.
  await server.administer("app", "set", "default", `undelivered_max=${10 * MESSAGES}`);
  const bob = await correspondents.join("bob");
  let begun = performance.now();
  await fill(bob, "alice", MESSAGES);
  tell(`${MESSAGES} messages written to a chat that is open`, ms(performance.now() - begun));
  const { page } = alice;
  begun = performance.now();
  const reloaded = begun;
  await page.reload();
  await watchTasks(page);
  await alice.isIn();
  tell("opened again, until the list of conversations is there", ms(performance.now() - begun));
  begun = performance.now();
  await alice.open("bob");
  tell("its conversation opened", ms(performance.now() - begun));
  begun = performance.now();
  await page.locator(".to-latest").click({ force: true });
  await alice.sees(text(MESSAGES - 1));
  tell("its newest message asked for and seen", ms(performance.now() - begun));
  // The list of conversations shows what this tab has taken in; whoever scrolls before that measures two things at once.
  await page.locator(".conversation-last", { hasText: new RegExp(`^${MESSAGES - 1}\\b`) }).waitFor({ timeout: CATCH_UP_MS_MAX });
  tell("all that had not reached this tab taken in, since it was opened", ms(performance.now() - reloaded));
  await tellTasks(page, "");
  begun = performance.now();
  const beginning = page.locator(".messages-beginning");
  await scroll(page, -WHEEL_PX, () => beginning.isVisible());
  tell("scrolled to its beginning, page by page", ms(performance.now() - begun));
  await tellTasks(page, "");
  expect(await beginning.isVisible(), "all messages are there").toBe(true);
  begun = performance.now();
  await scroll(page, WHEEL_PX, async () => performance.now() - begun > 30_000);
  await tellTasks(page, "scrolled down for 30 s");
});

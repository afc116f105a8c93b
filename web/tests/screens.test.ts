/**
 * Pictures of the main screens in target/screenshots, so that people can look at them. What is on them was said through
 * the real server. Nothing is compared: the test is that each screen comes to stand without a fault.
 */
import { mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as groups from "@hongyan/sdk/groups";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Chromium, PHONE } from "./stage/chromium";
import { Correspondents } from "./stage/correspondent";
import { Gathering } from "./stage/gathering";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

const OUT = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const SIZE = { width: 1180, height: 760 };
/** A picture that is smaller shows nothing. */
const BYTES_MIN = 8_000;

const server = new Server();
const chromium = new Chromium();
const friends = new Correspondents(server);

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(async () => {
  friends.leave();
  await Promise.all([chromium.stop(), server.remove()]);
});
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

async function picture(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0);
  const path = `${OUT}chat-${name}.png`;
  await page.screenshot({ path, animations: "disabled", caret: "hide" });
  expect(statSync(path).size).toBeGreaterThan(BYTES_MIN);
}

/** Those who walk talk among themselves; somebody is mentioned, something is pinned, one more wants to come along. */
async function gathering(mei: Person): Promise<Gathering> {
  const [maya, lin, jonas] = [await friends.join("Maya"), await friends.join("Lin"), await friends.join("Jonas")];
  const group = await groups.createGroup(maya, { title: "Saturday hike", users: [mei.name, "Lin", "Jonas"], join: "asked" });
  const hike = `#${group}`;
  await groups.setAdmin(maya, group, mei.name, true);
  await groups.setNickname(lin, group, "林老师");
  await groups.setAnnouncement(maya, group, "We meet at the bus stop at 07:30. Map: https://example.org/map/12");
  const walk = await Gathering.find(mei, "Saturday hike");
  const said = async (text: string, by: typeof maya, mentions: string[] = []) => {
    await by.send(hike, text, { mentions });
    await mei.page.locator(".message .body", { hasText: text }).waitFor();
  };
  await said("The forecast says sun all day ☀️", maya);
  await said("太好了，我带相机。", lin);
  await said("Can somebody lend me walking boots, size 43?", jonas);
  await mei.write("@Jonas I have a pair, I'll bring them");
  await mei.sees("@Jonas I have a pair, I'll bring them");
  await said("You are a lifesaver", jonas);
  await said(`@${mei.name} could you carry the small tent, too?`, maya, [mei.name]);
  await mei.choose("The forecast says sun all day ☀️", "Pin");
  await mei.page.locator(".pinned-bar").waitFor();
  await mei.field.focus();
  await lin.send(mei.name, "记得带雨衣 🌧️");
  await jonas.send(mei.name, "What size is your rucksack?");
  const stranger = await friends.join("Amara");
  await groups.join(stranger, group, { text: "May I come along?" });
  return walk;
}

/** Mei and Maya plan a walk; others have written, too. */
async function story(mei: Person): Promise<void> {
  const [maya, lin, ops] = [await friends.join("Maya.Okafor"), await friends.join("lin.wei"), await friends.join("ops-alerts")];
  maya.on("message", ({ own, seq }) => void (own || seq === undefined || maya.markRead(mei.name, seq)));
  await lin.send(mei.name, "明天见！");
  await ops.send(mei.name, "Backup of 02:00 finished, 1.2 GB");
  await ops.send(mei.name, "All gates are up");
  await mei.open("Maya.Okafor");
  const { page } = mei;
  await maya.send(mei.name, "Are you still up for the hike on Saturday?");
  await mei.sees("Are you still up for the hike on Saturday?");
  await mei.write("Yes! 🥾 When do we start?");
  await mei.seesTick("Yes! 🥾 When do we start?", "Read");
  await maya.send(mei.name, "The bus leaves at 07:40, the timetable is at https://example.org/bus/12");
  await maya.send(mei.name, "Bring `map.gpx`, I have no signal up there");
  await page.locator(".body", { hasText: "I have no signal" }).waitFor();
  await mei.write("我带茶和点心，你带相机 📷");
  await mei.seesTick("我带茶和点心，你带相机 📷", "Read");
  await maya.send(mei.name, "好的，一言为定", { replyTo: 5 });
  await mei.sees("好的，一言为定");
  await maya.react(mei.name, 5, "❤️", true);
  await page.locator(".reaction").waitFor();
  await mei.write("See you at the stop!");
  await mei.seesTick("See you at the stop!", "Read");
}

test("sign-in, conversations in light and dark, in Chinese, and on a phone", async () => {
  mkdirSync(OUT, { recursive: true });
  const context = await chromium.visitor({ viewport: SIZE });
  const mei = await Person.signUp(context, server.origin, "mei");
  const { page } = mei;
  await story(mei);
  await picture(page, "light");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("html[data-theme=dark]").waitFor();
  await picture(page, "dark");
  await page.emulateMedia({ colorScheme: "light" });
  await mei.message("See you at the stop!").locator(".bubble").click({ button: "right" });
  await page.locator(".message-menu").waitFor();
  await picture(page, "menu");
  await page.keyboard.press("Escape");
  await page.locator(".message-menu").waitFor({ state: "detached" });

  await page.evaluate(() => localStorage.setItem("hongyan.prefs", JSON.stringify({ language: "zh" })));
  await page.reload();
  await mei.sees("See you at the stop!");
  await picture(page, "chinese");
  await context.close();

  const phone = await chromium.visitor({ viewport: PHONE, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
  const stranger = await phone.newPage();
  await stranger.goto(server.origin);
  await stranger.locator("form").waitFor();
  await picture(stranger, "phone-sign-in");
  await stranger.close();
  const small = await Person.signIn(phone, server.origin, "mei");
  await small.page.locator(".conversation", { hasText: "Maya.Okafor" }).waitFor();
  await picture(small.page, "phone-list");
  await small.page.locator(".conversation", { hasText: "Maya.Okafor" }).tap();
  await small.sees("See you at the stop!");
  await picture(small.page, "phone");
  await phone.close();

  const visitor = await chromium.visitor({ viewport: SIZE });
  const door = await visitor.newPage();
  await door.goto(server.origin);
  await door.locator("form").waitFor();
  await picture(door, "sign-in");
  await visitor.close();
});

test("a group, and what is known of it", async () => {
  mkdirSync(OUT, { recursive: true });
  const context = await chromium.visitor({ viewport: SIZE });
  const mei = await Person.signUp(context, server.origin, "mei.lan");
  const walk = await gathering(mei);
  const { page } = mei;
  await picture(page, "group");
  await walk.opensPanel();
  await walk.panel.locator(".asking").waitFor();
  await picture(page, "group-panel");
  await context.close();
});

/** The chat room at /demo/room: people without accounts, over WebSocket and polls, through a server that is killed. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { faultsOf } from "./stage/axe";
import { Chromium, PHONE, WIDE } from "./stage/chromium";
import { alarmsIn, CORPUS } from "./stage/corpus";
import { Correspondents } from "./stage/correspondent";
import { Guest } from "./stage/guest";
import { Server } from "./stage/server";

const OUT = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const CHARACTERS_MAX = 140;
/** Texts that each of two says while the server dies. */
const BURST = 8;

const server = new Server();
const chromium = new Chromium();
const attackers = new Correspondents(server);

beforeAll(async () => {
  await Promise.all([server.start(), chromium.start()]);
  // Half a minute in earnest.
  await server.administer("app", "set", "default", "room_hold_seconds=1");
});
afterAll(async () => {
  attackers.leave();
  await Promise.all([chromium.stop(), server.remove()]);
});
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

test("three people talk over WebSocket and polls; a name is one person's, until they leave or are gone for long", async () => {
  const context = await chromium.visitor();
  const { origin } = server;
  const ann = await Guest.enter(context, origin, "Ann");
  const bob = await Guest.enter(context, origin, "鲍勃", "poll");
  await ann.say("Hello, is anybody here?");
  await bob.sees("Hello, is anybody here?");
  await bob.say("你好");

  // Tabs of one browser are different people; a name is taken in any case.
  const third = await Guest.knock(context, origin, "ANN");
  await third.fault.filter({ hasText: "ANN" }).waitFor();
  await third.page.locator("input[name=name]").fill("Cem");
  await third.page.locator("form button[type=submit]").click();
  await third.isIn("websocket");
  const said = ["Hello, is anybody here?", "你好"];
  await third.seesOnly(said);
  await third.seesNames("Cem", "Ann", "鲍勃");
  await ann.seesNames("Ann", "Cem", "鲍勃");

  // As many characters as are allowed, whatever they are made of; one more cannot be said.
  const long = "🪿".repeat(CHARACTERS_MAX);
  await third.field.fill(`${long}!`);
  await third.page.locator(".counter.over", { hasText: `${CHARACTERS_MAX + 1} / ${CHARACTERS_MAX}` }).waitFor();
  expect(await third.page.locator(".composer button").isDisabled()).toBe(true);
  await third.field.press("Enter");
  await third.say(long);
  said.push(long);
  for (const guest of [ann, bob, third]) await guest.seesOnly(said);

  await bob.leave();
  await ann.seesNames("Ann", "Cem");
  await ann.page.locator(".note", { hasText: "鲍勃 has left" }).waitFor();
  const other = await Guest.enter(context, origin, "鲍勃");
  await other.seesOnly(said);
  // Nobody says goodbye for a tab that is closed.
  await third.page.close();
  await ann.page.locator(".note", { hasText: "Cem has left" }).waitFor();
  await other.seesNames("鲍勃", "Ann");
  await context.close();
});

test("a reload, another transport, a server that is killed: everybody is back under their name, and every text is there once", async () => {
  // Other names than before: those are kept for a while.
  const [here, there] = await Promise.all([chromium.visitor(), chromium.visitor()]);
  const ann = await Guest.enter(here, server.origin, "Dora");
  const bob = await Guest.enter(there, server.origin, "Emil", "poll");
  const before = await ann.page.locator(".rows .text").allTextContents();
  await ann.page.getByRole("button", { name: "Long poll" }).click();
  await ann.isIn("poll");
  await ann.page.getByRole("button", { name: "WebSocket" }).click();
  await ann.isIn("websocket");
  await ann.seesNames("Dora", "Emil");

  const texts = (name: string) => Array.from({ length: BURST }, (_, at) => `${name} ${at}`);
  const saying = [ann, bob].map(async (guest) => {
    for (const text of texts(guest.name)) await guest.say(text);
  });
  await ann.sees("Emil 2");
  await server.kill();
  await Promise.all(saying);
  await server.start();
  await Promise.all([ann.sees(`Emil ${BURST - 1}`), bob.sees(`Dora ${BURST - 1}`), ann.sees(`Dora ${BURST - 1}`), bob.sees(`Emil ${BURST - 1}`)]);
  const seen = await ann.page.locator(".rows .text").allTextContents();
  for (const name of ["Dora", "Emil"]) expect(seen.slice(before.length).filter((text) => text.startsWith(name))).toEqual(texts(name));
  expect(seen).toHaveLength(before.length + 2 * BURST);
  await bob.seesOnly(seen);
  await ann.page.reload();
  await ann.isIn("websocket");
  await ann.seesOnly(seen);
  await bob.seesNames("Emil", "Dora");
  await Promise.all([here.close(), there.close()]);
});

test("the corpus stays inert in a room, as words and as names", async () => {
  const context = await chromium.visitor({ bypassCSP: true });
  const alarms = await alarmsIn(context, server.origin);
  const victim = await Guest.enter(context, server.origin, "Victim");
  const mallory = (await attackers.join("mallory")).room("lobby", "<img src=x>");
  await mallory.enter();
  const before = await victim.page.locator(".rows .text").allTextContents();
  const short = CORPUS.filter((text) => [...text].length <= CHARACTERS_MAX);
  expect(short.length).toBeGreaterThan(20);
  await Promise.all(short.map((text) => mallory.say(text)));
  await victim.sees(short.at(-1)!);
  await victim.seesOnly([...before, ...short]);
  await victim.page.locator(".people .name").getByText("<img src=x>", { exact: true }).waitFor();
  const strange = await victim.page.evaluate(() => {
    const allowed = ["BDI", "BUTTON", "DIV", "H2", "LI", "OL", "P", "SPAN", "UL"];
    const inside = [...document.querySelectorAll<HTMLElement>(".log *, .people *")];
    return inside.filter((one) => !allowed.includes(one.tagName) || one.getAttributeNames().some((name) => name.startsWith("on"))).map((one) => one.outerHTML);
  });
  expect(strange).toEqual([]);
  expect(alarms).toEqual([]);
  await context.close();
});

test("axe finds no serious fault at the door and in the room: wide and light, and on a phone in the dark", async () => {
  mkdirSync(OUT, { recursive: true });
  const room = "tea";
  await server.administer("room", "add", "default", room);
  const context = await chromium.visitor();
  const maya = await Guest.enter(context, server.origin, "Maya", "websocket", room);
  const olena = await Guest.enter(context, server.origin, "Олена", "poll", room);
  const lin = await Guest.knock(context, server.origin, "maya", "poll", room);
  await lin.fault.filter({ hasText: "maya" }).waitFor();
  await maya.say("Hi! Is anybody from Kyiv here?");
  await olena.sees("Hi! Is anybody from Kyiv here?");
  await olena.say("Так, я тут 👋");
  await maya.sees("Так, я тут 👋");
  await maya.say("Good, then I am not alone. 你也来吗？");
  await olena.sees("Good, then I am not alone. 你也来吗？");
  await maya.field.fill("The room takes 140 characters and counts them");
  const found: string[] = [];
  for (const [look, media, size] of [["light", "light", WIDE], ["phone", "dark", PHONE]] as const) {
    for (const [screen, page] of [["door", lin.page], ["inside", maya.page]] as const) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme: media });
      found.push(...(await faultsOf(page, `${screen}, ${look}`)));
      await page.screenshot({ path: `${OUT}room-${screen}-${look}.png` });
    }
  }
  expect(found).toEqual([]);
  await context.close();
});

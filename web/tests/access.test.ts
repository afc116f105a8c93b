/** What people who cannot see or point meet: axe looks at each main screen and finds nothing serious, light and dark. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { faultsOf } from "./stage/axe";
import { Chromium } from "./stage/chromium";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

const server = new Server();
const chromium = new Chromium();

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(() => Promise.all([chromium.stop(), server.remove()]));
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

/** Looks at a screen in the light, and at its colours in the dark. */
async function faultsInBoth(page: Page, screen: string): Promise<string[]> {
  const found = await faultsOf(page, screen);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("html[data-theme=dark]").waitFor();
  found.push(...(await faultsOf(page, `${screen} in the dark`, "colours")));
  await page.emulateMedia({ colorScheme: "light" });
  await page.locator("html[data-theme=light]").waitFor();
  return found;
}

test("axe finds no serious fault in the light, nor in the dark", async () => {
  const context = await chromium.visitor();
  const found: string[] = [];
  const stranger = await context.newPage();
  await stranger.goto(server.origin);
  await stranger.locator("form button[type=submit]").click();
  await stranger.getByRole("alert").filter({ hasText: /./ }).waitFor();
  found.push(...(await faultsInBoth(stranger, "sign-in with a fault")));
  await stranger.close();

  const [alice, bob] = ["alice", "bob"];
  await server.signUp(bob);
  const person = await Person.signUp(context, server.origin, alice);
  const { page } = person;
  await person.open(bob);
  for (const text of ["Hello", "https://example.com/ and `code`", "```\na block\n```", "An answer"]) await person.write(text);
  await person.seesTick("Hello", "Sent");
  await person.choose("Hello", "👍");
  await person.message("Hello").locator(".reaction").waitFor();
  await person.choose("Hello", "Reply");
  found.push(...(await faultsInBoth(page, "conversation")));
  await page.getByRole("button", { name: "Do not reply" }).click();

  const layers: [string, () => Promise<unknown>][] = [
    ["message menu", () => person.message("Hello").locator(".bubble").click({ button: "right" }).then(() => page.locator(".message-menu").waitFor())],
    ["emoji", () => page.locator(".composer").getByRole("button", { name: "Emoji" }).click().then(() => page.locator(".emoji-cells").first().waitFor())],
    ["settings", () => page.locator(".me").click().then(() => page.locator(".settings").waitFor())],
    ["conversation menu", () => page.locator(".pane-head").getByRole("button", { name: "More" }).click().then(() => page.getByRole("menu").waitFor())],
    ["new chat", () => page.getByRole("button", { name: "New chat" }).click().then(() => page.getByRole("dialog").waitFor())],
  ];
  for (const [name, open] of layers) {
    await open();
    found.push(...(await faultsInBoth(page, name)));
    await page.keyboard.press("Escape");
    await page.locator("[data-base-ui-portal] [data-open]").first().waitFor({ state: "detached" });
  }
  await page.keyboard.press("Escape");
  await page.locator(".nobody").waitFor();
  found.push(...(await faultsInBoth(page, "list")));
  expect(found).toEqual([]);
  await context.close();
});

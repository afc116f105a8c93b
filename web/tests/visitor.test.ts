/**
 * People without an account: they speak with a merchant at once, are known again when they return, and become accounts
 * that can read what they said. The merchant uses the chat, the visitor the shop of the demo or a page of another site.
 */
import { createServer, type Server as Listener } from "node:http";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { faultsOf } from "./stage/axe";
import { Chromium, PATIENCE_MS } from "./stage/chromium";
import { alarmsIn, CORPUS } from "./stage/corpus";
import { Correspondents } from "./stage/correspondent";
import { Person } from "./stage/person";
import { Server } from "./stage/server";
import { Visitor } from "./stage/visitor";

/** Higher than the corpus. */
const TALL = { width: 900, height: 5_000 };

const server = new Server();
const chromium = new Chromium();
const correspondents = new Correspondents(server);
let elsewhere: Listener;

beforeAll(async () => {
  elsewhere = await otherSite();
  const address = elsewhere.address();
  if (address === null || typeof address === "string") throw new Error("the other site has no port");
  server.allow(`http://localhost:${address.port}`);
  await Promise.all([server.start(), chromium.start()]);
});
afterAll(async () => {
  correspondents.leave();
  elsewhere.close();
  await Promise.all([chromium.stop(), server.remove()]);
});
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

/** A site with a strict policy of its own that embeds the widget as README says. */
async function otherSite(): Promise<Listener> {
  const listener = createServer((request, response) => {
    const chat = new URL(request.url ?? "/", "http://localhost").searchParams.get("chat") ?? "";
    const socket = chat.replace("http", "ws");
    response.setHeader("Content-Security-Policy", `default-src 'none'; script-src ${chat}; connect-src ${chat} ${socket}`);
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><title>Elsewhere</title><p>A shop.</p><script async src="${chat}/widget.js" data-merchant="elsa" data-title="Elsa"></script></html>`);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return listener;
}

async function merchant(name: string): Promise<{ person: Person; shop: string }> {
  const person = await Person.signUp(await chromium.visitor(), server.origin, name);
  await server.administer("user", "take-visitors", name);
  return { person, shop: `${server.origin}/demo/shop?merchant=${name}&title=Oak%20%26%20Leaf` };
}

/** The only conversation of a merchant who has one. */
async function opensTheVisitor({ page }: Person): Promise<string> {
  await page.locator(".conversation").first().click();
  await page.locator(".pane-head h2").waitFor();
  return (await page.locator(".pane-head h2").textContent()) ?? "";
}

/** What a browser holds of this site. */
const keptIn = (page: Page) =>
  page.evaluate(async () => ({ items: Object.keys(localStorage), databases: (await indexedDB.databases()).map(({ name }) => name) }));

test("a visitor who only looks is connected to nothing and stored nowhere; one who speaks is answered, and known again", async () => {
  const { person, shop } = await merchant("oak");
  const context = await chromium.visitor();
  const before = await server.connections();
  const visitor = await Visitor.comes(context, shop);
  await visitor.opens();
  expect(await keptIn(visitor.page)).toEqual({ items: [], databases: [] });
  expect(await server.connections()).toBe(before);

  await visitor.says("Is the oolong in stock?");
  await visitor.seesTick("Delivered");
  const name = await opensTheVisitor(person);
  expect(name).toMatch(/^Visitor \S{4}$/);
  await person.page.locator(".visitor-line", { hasText: "1st visit · on 127.0.0.1" }).waitFor();
  await visitor.seesTick("Read");
  await person.field.fill("Y");
  await visitor.widget.locator(".dots").waitFor();
  await person.write("Yes, three bags.");
  await visitor.seesOnly(["Is the oolong in stock?", "Yes, three bags."]);

  // Reloaded with the panel closed: the answer is counted on the button.
  await visitor.page.reload();
  await visitor.launcher.waitFor();
  await person.write("Shall I keep one?");
  await visitor.widget.locator(".badge:visible", { hasText: "1" }).waitFor();
  await visitor.widget.locator(".preview:visible", { hasText: "Shall I keep one?" }).click();
  await visitor.seesOnly(["Is the oolong in stock?", "Yes, three bags.", "Shall I keep one?"]);

  // Another tab is the same visitor over the same connection, and shows what the first one says.
  const tab = await Visitor.comes(context, shop);
  await tab.opens();
  await tab.seesOnly(["Is the oolong in stock?", "Yes, three bags.", "Shall I keep one?"]);
  expect(await server.connections()).toBe(before + 1);
  await tab.says("Please!");
  await visitor.seesOnly(["Is the oolong in stock?", "Yes, three bags.", "Shall I keep one?", "Please!"]);
  await person.sees("Please!");

  // Without the database and the session in it, the mark in localStorage is enough.
  await visitor.page.close();
  await tab.page.close();
  await forgetDatabases(context);
  const again = await Visitor.comes(context, shop);
  await again.opens();
  await again.seesOnly(["Is the oolong in stock?", "Yes, three bags.", "Shall I keep one?", "Please!"]);
  await again.says("It is me");
  await person.sees("It is me");
  expect(await person.page.locator(".conversation").count()).toBe(1);
  await context.close();
});

async function forgetDatabases(context: BrowserContext): Promise<void> {
  const page = await context.newPage();
  await page.goto(`${server.origin}/v1/web`);
  await page.evaluate(async () => {
    for (const { name } of await indexedDB.databases()) {
      await new Promise<void>((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name ?? "");
        request.onsuccess = () => resolve();
        request.onerror = () => reject(request.error);
      });
    }
  });
  await page.close();
}

test("a mark that was altered is refused: the shop shows nothing, and what is said next comes from somebody new", async () => {
  const { person, shop } = await merchant("birch");
  const context = await chromium.visitor();
  const visitor = await Visitor.comes(context, shop);
  await visitor.opens();
  await visitor.says("I am the first");
  await visitor.seesTick("Delivered");
  await visitor.page.goto(`${server.origin}/v1/web`);
  await forgetDatabases(context);
  const key = await visitor.page.evaluate(() => {
    const key = Object.keys(localStorage).find((key) => key.endsWith(":mark")) ?? "";
    const kept = localStorage.getItem(key) ?? "";
    // Another character in the middle of the id; the code at its end does not fit any more.
    const at = kept.indexOf("v1.") + 10;
    localStorage.setItem(key, kept.slice(0, at) + (kept[at] === "A" ? "B" : "A") + kept.slice(at + 1));
    return key;
  });
  expect(key).not.toBe("");
  await visitor.page.goto(shop);
  await visitor.launcher.waitFor();
  await visitor.page.waitForFunction((key) => localStorage.getItem(key) === null, key);
  await visitor.opens();
  await visitor.says("I am another");
  await visitor.seesTick("Delivered");
  await visitor.seesOnly(["I am another"]);
  await expect.poll(() => person.page.locator(".conversation").count(), { timeout: PATIENCE_MS }).toBe(2);
  await context.close();
});

test("where storage is blocked, one can talk all the same, for as long as the page lives", async () => {
  const { person, shop } = await merchant("cedar");
  const context = await chromium.visitor();
  await context.addInitScript(() => {
    for (const name of ["localStorage", "indexedDB", "sessionStorage"]) {
      Object.defineProperty(window, name, { get: () => { throw new DOMException("denied", "SecurityError"); } });
    }
  });
  const visitor = await Visitor.comes(context, shop);
  await visitor.opens();
  await visitor.says("Nothing is kept here");
  await visitor.seesTick("Delivered");
  await opensTheVisitor(person);
  await person.write("We do not mind");
  await visitor.seesOnly(["Nothing is kept here", "We do not mind"]);
  await context.close();
});

test("a site of another origin with a policy of its own embeds it with one line", async () => {
  const elsa = await correspondents.join("elsa");
  await server.administer("user", "take-visitors", "elsa");
  elsa.on("message", ({ user, own, seq }) => void (own || seq === undefined || elsa.send(user, "From far away")));
  const address = elsewhere.address();
  if (address === null || typeof address === "string") throw new Error("the other site has no port");
  const context = await chromium.visitor();
  const visitor = await Visitor.comes(context, `http://localhost:${address.port}/?chat=${server.origin}&secret=1`);
  await visitor.opens();
  await visitor.says("Hello from elsewhere");
  await visitor.seesOnly(["Hello from elsewhere", "From far away"]);
  const page = async () => (await elsa.conversations())[0]?.visitor?.page;
  await expect.poll(page, { timeout: PATIENCE_MS }).toBe(`http://localhost:${address.port}/`);
  await context.close();

  const script = await fetch(`${server.origin}/widget.js`);
  expect(script.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
  const tag = script.headers.get("etag") ?? "";
  const again = await fetch(`${server.origin}/widget.js`, { headers: { "If-None-Match": tag } });
  expect([tag.length > 10, again.status]).toEqual([true, 304]);
});

test("the corpus stays inert in the widget, on both sides and in the preview", async () => {
  const mallory = await correspondents.join("mallory");
  await server.administer("user", "take-visitors", "mallory");
  const context = await chromium.visitor({ bypassCSP: true, viewport: TALL });
  const alarms = await alarmsIn(context, server.origin);
  // What a page says in the attributes is text as well.
  const hostile = encodeURIComponent(CORPUS[1] ?? "");
  const visitor = await Visitor.comes(context, `${server.origin}/demo/shop?merchant=mallory&title=${hostile}&greeting=${hostile}`);
  await visitor.opens();
  const arrived = new Promise<string>((resolve) => mallory.on("message", ({ user, own }) => void (own || resolve(user))));
  await visitor.says(CORPUS[0] ?? "");
  const name = await arrived;
  await visitor.page.keyboard.press("Escape");
  for (const text of CORPUS) await mallory.send(name, text);
  await visitor.widget.locator(".preview:visible").waitFor();
  await visitor.opens();
  await visitor.seesOnly([CORPUS[0] ?? "", ...CORPUS]);
  const found = await visitor.page.evaluate(() => {
    const inside = [...(document.querySelector("hongyan-chat")?.shadowRoot?.querySelectorAll("*") ?? [])];
    const names = [...new Set(inside.map(({ localName }) => localName))];
    const attributes = inside.flatMap((element) => element.getAttributeNames().filter((name) => name.startsWith("on")));
    const links = inside.filter((element) => element instanceof HTMLAnchorElement).map(({ protocol, username, password, rel, target }) => ({ protocol, login: username + password, rel, target }));
    return { names, attributes, links };
  });
  expect(found.names.filter((name) => ["script", "img", "iframe", "object", "embed", "style", "link", "base", "meta", "form", "video", "audio"].includes(name))).toEqual([]);
  expect(found.attributes).toEqual([]);
  expect(found.links.length).toBeGreaterThan(2);
  for (const { protocol, login, rel, target } of found.links) {
    expect(["http:", "https:"]).toContain(protocol);
    expect([login, rel, target]).toEqual(["", "noopener noreferrer nofollow", "_blank"]);
  }
  expect(alarms).toEqual([]);
  await context.close();
});

test("the server dies while somebody writes in the widget: the words wait, and arrive once", async () => {
  const { person, shop } = await merchant("alder");
  const context = await chromium.visitor();
  const visitor = await Visitor.comes(context, shop);
  await visitor.opens();
  await visitor.says("Before");
  await visitor.seesTick("Delivered");
  await opensTheVisitor(person);
  await server.kill();
  await visitor.says("In between");
  await visitor.seesTick("Sending");
  await visitor.widget.locator(".state", { hasText: /./ }).waitFor();
  await server.start();
  await person.seesOnly(["Before", "In between"]);
  await visitor.seesTick("Read");
  await visitor.seesOnly(["Before", "In between"]);
  await visitor.widget.locator(".state:empty").waitFor({ state: "attached" });
  await context.close();
});

test("the widget is used by keyboard alone: opens, keeps the focus inside, closes, and gives it back", async () => {
  const { shop } = await merchant("maple");
  const context = await chromium.visitor();
  const { page, launcher, field, widget } = await Visitor.comes(context, shop);
  const pressed: string[] = [];
  await page.exposeFunction("shortcut", (key: string) => void pressed.push(key));
  await page.evaluate(() => addEventListener("keydown", ({ key }) => (window as unknown as { shortcut(key: string): void }).shortcut(key)));
  await launcher.focus();
  await page.keyboard.press("Enter");
  const focused = () => page.evaluate(() => document.querySelector("hongyan-chat")?.shadowRoot?.activeElement?.className ?? document.activeElement?.localName ?? "");
  await expect.poll(() => field.evaluate((element) => element.matches(":focus"))).toBe(true);
  await page.keyboard.type("s/");
  for (let press = 0; press < 12; press += 1) {
    await page.keyboard.press("Tab");
    expect(await focused()).not.toBe("body");
    expect(await widget.getByRole("dialog").evaluate((dialog) => dialog.matches(":focus-within"))).toBe(true);
  }
  await page.keyboard.press("Shift+Tab");
  expect(await widget.getByRole("dialog").evaluate((dialog) => dialog.matches(":focus-within"))).toBe(true);
  await page.keyboard.press("Escape");
  await widget.getByRole("dialog").waitFor({ state: "hidden" });
  expect(await focused()).toContain("launcher");
  expect(pressed.filter((key) => key === "s" || key === "/"), "the page's own shortcuts hear nothing of it").toEqual([]);
  await context.close();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds no serious fault in the widget in the ${colorScheme}`, async () => {
    const { person, shop } = await merchant(`rowan.${colorScheme}`);
    const context = await chromium.visitor({ colorScheme });
    const visitor = await Visitor.comes(context, shop);
    const found = await faultsOf(visitor.page, "closed");
    await visitor.opens();
    found.push(...(await faultsOf(visitor.page, "greeting")));
    await visitor.says("See https://example.com/");
    await visitor.seesTick("Delivered");
    await opensTheVisitor(person);
    await person.write("I will");
    await visitor.seesOnly(["See https://example.com/", "I will"]);
    found.push(...(await faultsOf(visitor.page, "talk")));
    expect(found).toEqual([]);
    await context.close();
  });
}

test("who signs in reads as an account what they said as a visitor, and the merchant is led to the account", async () => {
  const { person, shop } = await merchant("willow");
  const context = await chromium.visitor();
  const visitor = await Visitor.comes(context, shop);
  await visitor.opens();
  await visitor.says("Do you ship to Oslo?");
  await visitor.seesTick("Delivered");
  await opensTheVisitor(person);
  await person.write("We do.");
  await visitor.seesOnly(["Do you ship to Oslo?", "We do."]);

  const customer = await Person.signUp(context, server.origin, "ingrid");
  await customer.page.locator(".conversation", { hasText: "as a visitor" }).click();
  await customer.seesOnly(["Do you ship to Oslo?", "We do."]);
  await customer.page.locator(".composer.blocked", { hasText: "You wrote this to willow as a visitor." }).waitFor();
  expect(await customer.page.locator("textarea").count()).toBe(0);

  await person.page.locator(".composer.blocked", { hasText: "This visitor is now ingrid." }).waitFor();
  await person.page.locator(".conversation", { hasText: "now ingrid" }).waitFor();
  await person.page.getByRole("button", { name: "Write to ingrid" }).click();
  await person.page.locator(".pane-head h2", { hasText: "ingrid" }).waitFor();
  await person.page.locator(".earlier", { hasText: "ingrid wrote as a visitor before." }).waitFor();
  await person.write("Shall I send it?");
  await customer.page.getByRole("button", { name: "Write to willow" }).click();
  await customer.seesOnly(["Shall I send it?"]);
  await customer.page.locator(".earlier").getByRole("button", { name: "Show" }).click();
  await customer.seesOnly(["Do you ship to Oslo?", "We do."]);

  // The visitor whom the account was is gone: the shop knows nobody until somebody speaks.
  await visitor.page.reload();
  await visitor.opens();
  await visitor.says("Somebody else at this computer");
  await visitor.seesTick("Delivered");
  await visitor.seesOnly(["Somebody else at this computer"]);
  await context.close();
});

/** The chat without a network: it opens from what the browser keeps, and goes on by itself when the network is back. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Chromium } from "./stage/chromium";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

const server = new Server();
const chromium = new Chromium();

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(() => Promise.all([chromium.stop(), server.remove()]));
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

test("reloaded without a network, the chat shows what it knows, takes a message, and sends it later", async () => {
  const [here, there] = await Promise.all([chromium.visitor(), chromium.visitor()]);
  const [alice, bob] = await Promise.all([Person.signUp(here, server.origin, "alice"), Person.signUp(there, server.origin, "bob")]);
  await Promise.all([alice.open("bob"), bob.open("alice")]);
  await bob.write("Before the tunnel");
  await alice.sees("Before the tunnel");
  // The worker keeps the files with its installation.
  await alice.page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    while (!(await caches.match(location.origin))) await new Promise((resolve) => requestAnimationFrame(resolve));
  });

  await here.setOffline(true);
  await alice.page.reload();
  await alice.sees("Before the tunnel");
  await alice.page.locator(".banner.shown", { hasText: "You are offline" }).waitFor();
  await alice.write("Inside the tunnel");
  await alice.seesTick("Inside the tunnel", "Sending");
  // Menus are files of their own, which nobody has opened before.
  await alice.page.locator(".me").click();
  await alice.page.locator(".settings").waitFor();
  await alice.page.keyboard.press("Escape");

  await here.setOffline(false);
  await bob.sees("Inside the tunnel");
  await alice.seesOnly(["Before the tunnel", "Inside the tunnel"]);
  await Promise.all([here.close(), there.close()]);
});

test("with a network the page is the server's, never the kept one", async () => {
  const context = await chromium.visitor();
  const page = await context.newPage();
  await page.goto(server.origin);
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    const cache = await caches.open("hongyan-chat");
    while (!(await cache.match(location.origin))) await new Promise((resolve) => requestAnimationFrame(resolve));
    const old = new Response("<!doctype html><title>An older version</title>", { headers: { "Content-Type": "text/html" } });
    await cache.put(location.origin, old);
  });
  await page.reload();
  await page.locator("form").waitFor();
  expect(await page.title()).toBe("Hongyan");
  // And it has taken the place of the older one.
  await page.waitForFunction(async () => (await (await caches.match(location.origin))?.text())?.includes("root") ?? false);
  await context.close();
});

/** The browser throws its database away, as browsers do when the disk is full or somebody clears it. */
import type { BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Chromium } from "./stage/chromium";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

const TEXTS = ["one", "two", "three"];

const server = new Server();
const chromium = new Chromium();

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(() => Promise.all([chromium.stop(), server.remove()]));
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

/** Deletes all databases of the site from a page of it that is not the chat; returns how many there were. */
async function wipe(context: BrowserContext): Promise<number> {
  const page = await context.newPage();
  await page.goto(`${server.origin}/v1/web`);
  const count = await page.evaluate(async () => {
    const databases = await indexedDB.databases();
    for (const { name } of databases) {
      await new Promise<void>((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name ?? "");
        request.onsuccess = () => resolve();
        request.onerror = () => reject(request.error);
      });
    }
    return databases.length;
  });
  await page.close();
  return count;
}

async function talked(): Promise<[Person, Person]> {
  const [here, there] = await Promise.all([chromium.visitor(), chromium.visitor()]);
  const both = await Promise.all([Person.signUp(here, server.origin, "alice"), Person.signUp(there, server.origin, "bob")]);
  const [alice, bob] = both;
  await Promise.all([alice.open("bob"), bob.open("alice")]);
  for (const text of TEXTS) await alice.write(text);
  await Promise.all([alice, bob].map((person) => person.sees("three")));
  return both;
}

test("a database that is deleted under the chat, and then before it starts: conversations come back from the server", async () => {
  const [alice, bob] = await talked();
  const context = alice.page.context();

  expect(await wipe(context)).toBeGreaterThan(0);
  // The session survives in memory, and is kept again.
  await alice.write("four");
  await bob.sees("four");
  await alice.seesTick("four", "Read");
  await alice.page.reload();
  await alice.sees("four");
  await alice.seesOnly([...TEXTS, "four"]);
  await bob.write("five");
  await alice.sees("five");

  // Nobody is there to keep it: the person signs in again, as on a new device.
  await alice.page.close();
  await wipe(context);
  const again = await Person.signIn(context, server.origin, "alice");
  await again.page.locator(".conversation", { hasText: "bob" }).filter({ hasText: "five" }).click();
  await again.sees("five");
  await again.seesOnly([...TEXTS, "four", "five"]);
  await again.write("six");
  await bob.sees("six");
  await Promise.all([bob, again].map((person) => person.seesOnly([...TEXTS, "four", "five", "six"])));
});

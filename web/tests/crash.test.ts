/** The server is killed in the middle of a burst and comes back with its data: every message is there once, for both. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Chromium } from "./stage/chromium";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

/** Messages that each of the two writes. */
const BURST = 30;
/** So many have arrived when the server dies. */
const BEFORE = 8;
/** High enough to hold all messages of the test at once. */
const TALL = { width: 900, height: 3_600 };

const server = new Server();
const chromium = new Chromium();

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(() => Promise.all([chromium.stop(), server.remove()]));
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

const burst = (name: string) => Array.from({ length: BURST }, (_, at) => `${name} ${at}`);

test("kill -9 in the middle of a burst loses and doubles nothing", async () => {
  const [here, there] = await Promise.all([chromium.visitor({ viewport: TALL }), chromium.visitor({ viewport: TALL })]);
  const [alice, bob] = await Promise.all([Person.signUp(here, server.origin, "alice"), Person.signUp(there, server.origin, "bob")]);
  await Promise.all([alice.open("bob"), bob.open("alice")]);

  const writing = [alice, bob].map(async (person) => {
    for (const text of burst(person.name)) await person.write(text);
  });
  await alice.sees(`bob ${BEFORE}`);
  await server.kill();
  await Promise.all(writing);
  // It died early enough: something waits.
  await bob.page.locator(".message .ticks.sending").first().waitFor();
  await server.start();

  const last = BURST - 1;
  await Promise.all([alice.sees(`bob ${last}`), bob.sees(`alice ${last}`), alice.seesTick(`alice ${last}`, "Read"), bob.seesTick(`bob ${last}`, "Read")]);
  const seen = await alice.texts();
  expect(seen.filter((text) => text.startsWith("alice"))).toEqual(burst("alice"));
  expect(seen.filter((text) => text.startsWith("bob"))).toEqual(burst("bob"));
  expect(seen).toHaveLength(2 * BURST);
  await bob.seesOnly(seen);

  // What is on the disks of both sides is the same.
  await Promise.all([alice.page.reload(), bob.page.reload()]);
  await Promise.all([alice.seesOnly(seen), bob.seesOnly(seen)]);
});

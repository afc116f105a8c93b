/** One person with five tabs: one connection for all, whichever tab has it, and it outlives that tab. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Chromium } from "./stage/chromium";
import { leads } from "./stage/leader";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

const TABS = 5;
/** What is promised: so long after the leading tab has died, another one holds the connection. */
const NEW_LEADER_MS = 2_000;

const server = new Server();
const chromium = new Chromium();

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(() => Promise.all([chromium.stop(), server.remove()]));
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

interface Noted {
  /** When the server has first answered this page on a connection, of either kind. All pages have this machine's clock. */
  heardAt: number;
}

function noteAnswers(): void {
  Object.assign(window, { heardAt: 0 });
  const heard = () => void ((window as unknown as Noted).heardAt ||= Date.now());
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols);
      this.addEventListener("message", heard);
    }
  };
  const real = window.fetch;
  window.fetch = async (...about) => {
    const answer = await real(...about);
    if (answer.ok && answer.url.endsWith("/v1/poll")) heard();
    return answer;
  };
}

async function leaderOf(tabs: Person[]): Promise<Person> {
  const leading = await Promise.all(tabs.map((tab) => leads(tab.page)));
  const leaders = tabs.filter((_, at) => leading[at]);
  expect(leaders).toHaveLength(1);
  return leaders[0]!;
}

/** Milliseconds from now on until one of these tabs has a connection and the server has answered on it. */
async function untilLed(tabs: Person[], kill: (leader: Person) => Promise<unknown>): Promise<{ took: number; rest: Person[] }> {
  const leader = await leaderOf(tabs);
  const rest = tabs.filter((tab) => tab !== leader);
  const before = await rest[0]!.page.evaluate(() => Date.now());
  const heard = Promise.any(
    rest.map(async ({ page }) => {
      const handle = await page.waitForFunction(() => (window as unknown as Noted).heardAt);
      return (await handle.jsonValue()) as number;
    }),
  );
  await kill(leader);
  return { took: (await heard) - before, rest };
}

test("five tabs hold one connection, and go on when the leading one is closed or killed", async () => {
  const [here, there] = await Promise.all([chromium.visitor(), chromium.visitor()]);
  await here.addInitScript(noteAnswers);
  const first = await Person.signUp(here, server.origin, "alice");
  const bob = await Person.signUp(there, server.origin, "bob");
  await Promise.all([first.open("bob"), bob.open("alice")]);
  const others = await Promise.all(Array.from({ length: TABS - 1 }, () => first.tab()));
  const tabs = [first, ...others];

  // Each tab writes over the one connection, and each shows what every other has written, once.
  for (const [at, tab] of tabs.entries()) {
    await tab.write(`from tab ${at}`);
    await tab.sees(`from tab ${at}`);
  }
  const written = tabs.map((_, at) => `from tab ${at}`);
  await Promise.all([...tabs, bob].map((tab) => tab.seesOnly(written)));
  expect(await leaderOf(tabs)).toBe(first);
  expect(await server.connections()).toBe(2);

  const closed = await untilLed(tabs, (leader) => leader.page.close());
  expect(closed.took).toBeLessThan(NEW_LEADER_MS);
  await closed.rest[3]!.write("after the leader was closed");
  await bob.write("I saw nothing of it");
  written.push("after the leader was closed", "I saw nothing of it");

  await Promise.all([...closed.rest, bob].map((tab) => tab.sees("I saw nothing of it")));
  const killed = await untilLed(closed.rest, async ({ page }) => {
    const session = await page.context().newCDPSession(page);
    const gone = page.waitForEvent("crash");
    // Never answered: there is nobody left to do so.
    void session.send("Page.crash").catch(() => undefined);
    await gone;
  });
  expect(killed.took).toBeLessThan(NEW_LEADER_MS);
  await killed.rest[0]!.write("after the leader was killed");
  written.push("after the leader was killed");

  const last = [...killed.rest, bob];
  await Promise.all(last.map((tab) => tab.sees("after the leader was killed")));
  for (const tab of last) expect((await tab.texts()).toSorted()).toEqual(written.toSorted());
  await leaderOf(killed.rest);
  await expect.poll(() => server.connections()).toBe(2);
  console.info(`a new leader ${closed.took} ms after the old one was closed, ${killed.took} ms after it was killed`);
});

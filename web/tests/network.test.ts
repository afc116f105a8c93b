/** What happens to networks: sockets that do not come through, a laptop that sleeps, a tunnel. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Cable } from "./stage/cable";
import { Chromium } from "./stage/chromium";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

const server = new Server();
const chromium = new Chromium();

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(() => Promise.all([chromium.stop(), server.remove()]));
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

/** What a page meets behind some proxies: a WebSocket that is refused at once, or one that never stands. */
function replaceSocket(refused: boolean): void {
  class Blocked extends EventTarget {
    static readonly CONNECTING = 0;
    static readonly OPEN = 1;
    static readonly CLOSING = 2;
    static readonly CLOSED = 3;
    readyState = refused ? Blocked.CLOSED : Blocked.CONNECTING;
    onerror: ((event: Event) => void) | null = null;
    onclose: ((event: Event) => void) | null = null;

    constructor() {
      super();
      if (refused) setTimeout(() => this.fail(), 0);
    }

    private fail(): void {
      for (const event of [new Event("error"), new CloseEvent("close", { code: 1006 })]) {
        this.dispatchEvent(event);
        (event.type === "error" ? this.onerror : this.onclose)?.(event);
      }
    }

    close(): void {}
    send(): void {}
  }
  window.WebSocket = Blocked as unknown as typeof WebSocket;
}

test("where a WebSocket is refused or hangs, polls carry the messages both ways", async () => {
  const [here, there] = await Promise.all([chromium.visitor(), chromium.visitor()]);
  await here.addInitScript(replaceSocket, true);
  await there.addInitScript(replaceSocket, false);
  let polls = 0;
  for (const context of [here, there]) context.on("request", (request) => (polls += Number(new URL(request.url()).pathname === "/v1/poll")));
  const [alice, bob] = await Promise.all([Person.signUp(here, server.origin, "alice"), Person.signUp(there, server.origin, "bob")]);
  await Promise.all([alice.open("bob"), bob.open("alice")]);
  await alice.write("Through a hole in the wall");
  await bob.sees("Through a hole in the wall");
  await bob.write("And back");
  await alice.sees("And back");
  await bob.seesTick("And back", "Read");
  await alice.seesTick("Through a hole in the wall", "Read");
  expect(polls).toBeGreaterThan(4);
  await Promise.all([here.close(), there.close()]);
});

test("a laptop that has slept for a night catches up without being reloaded", async () => {
  const cable = await Cable.to(server.origin);
  const [here, there] = await Promise.all([chromium.visitor(), chromium.visitor()]);
  await here.clock.install();
  const [carol, dave] = await Promise.all([Person.signUp(here, cable.origin, "carol"), Person.signUp(there, server.origin, "dave")]);
  await Promise.all([carol.open("dave"), dave.open("carol")]);
  await carol.write("Good night");
  await dave.sees("Good night");
  await carol.page.evaluate(() => Object.assign(window, { neverReloaded: true }));

  // Nobody closes a connection: packets just do not arrive any more.
  cable.pull();
  await dave.write("While you slept");
  await dave.seesTick("While you slept", "Sent");
  cable.plug();
  // The lid opens eight hours later; every timer that is due runs once.
  await here.clock.fastForward("08:00:00");
  await carol.sees("While you slept");
  await dave.seesTick("While you slept", "Read");
  await carol.write("Good morning");
  await dave.sees("Good morning");
  await carol.seesOnly(["Good night", "While you slept", "Good morning"]);
  expect(await carol.page.evaluate(() => "neverReloaded" in window)).toBe(true);
  await Promise.all([here.close(), there.close()]);
  await cable.close();
});

test("what is written in a tunnel waits with a clock, and leaves when the network is back", async () => {
  const cable = await Cable.to(server.origin);
  const [here, there] = await Promise.all([chromium.visitor(), chromium.visitor()]);
  const [erin, frank] = await Promise.all([Person.signUp(here, cable.origin, "erin"), Person.signUp(there, server.origin, "frank")]);
  await Promise.all([erin.open("frank"), frank.open("erin")]);
  await erin.write("The train leaves");
  await frank.sees("The train leaves");

  cable.pull();
  await here.setOffline(true);
  await erin.write("Written in the tunnel");
  await erin.seesTick("Written in the tunnel", "Sending");
  await frank.write("Are you in the tunnel?");
  await frank.seesTick("Are you in the tunnel?", "Sent");
  cable.plug();
  await here.setOffline(false);
  await frank.sees("Written in the tunnel");
  await erin.sees("Are you in the tunnel?");
  await erin.seesTick("Written in the tunnel", "Read");
  const seen = await erin.texts();
  expect(seen.toSorted()).toEqual(["Are you in the tunnel?", "The train leaves", "Written in the tunnel"]);
  await frank.seesOnly(seen);
  await Promise.all([here.close(), there.close()]);
  await cable.close();
});

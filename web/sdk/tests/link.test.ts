/** The link: log in, resume, back off, stop. As `crates/client/tests/client/link.rs`, where it applies over TLS. */
import { expect, test } from "vitest";
import { Core } from "../src/core/core";
import type { Phase } from "../src/core/event";
import { nothing } from "../src/core/rows";
import { ANSWER, command, Operation, REQUEST } from "../src/wire/command";
import { writeFrame } from "../src/wire/frame";
import * as proto from "../src/wire/proto";
import { refusal } from "./stage/server";
import { type Actor, World } from "./stage/world";

const phases = (actor: Actor): Phase[] => actor.told.flatMap((event) => (event.kind === "link" ? [event.phase] : []));
const signedIn = (actor: Actor) => actor.told.flatMap((event) => (event.kind === "signedIn" ? [event.resumed] : []));
const why = (actor: Actor) => (actor.core.link.phase.state === "stopped" ? actor.core.link.phase.reason : actor.core.link.phase.state);

function play(...names: string[]): { world: World; a: Actor; b: Actor } {
  const world = new World(...names);
  world.settle();
  const [a, b] = world.actors as [Actor, Actor];
  return { world, a, b };
}

test("a broken link is resumed without a login", () => {
  const { world, a } = play("a", "b");
  for (let round = 0; round < 5; round++) {
    world.server.cutAll();
    world.pass(5_000);
    expect(a.isLive).toBe(true);
  }
  expect(signedIn(a)).toEqual([false, true, true, true, true, true]);
  expect(world.server.logins).toBe(2);
});

test("a resume brings what was missed, by pages that acknowledge pages", () => {
  const { world, b } = play("a", "b");
  world.server.cutAll();
  for (let number = 0; number < 40; number++) world.server.say("a", "b", String(number));
  world.pass(5_000);
  expect(b.heard()).toHaveLength(40);
  expect(world.server.cursor("b", b.config.deviceId)).toBe(40);
});

test("an unanswered resume is tried with a higher epoch, which was kept before it was sent", () => {
  const { world, a } = play("a");
  let losses = 3;
  world.server.script = (_, packet) => (packet === command(ANSWER, Operation.RESUME) && losses-- > 0 ? "cutBefore" : "pass");
  world.server.cutAll();
  world.pass(1_000);
  expect(a.isLive).toBe(false);
  expect(a.store.restored().session!.epoch).toBe(world.server.resumes);
  expect(world.server.resumes).toBeGreaterThan(0);
  world.pass(60_000);
  expect(a.isLive).toBe(true);
  expect([world.server.logins, world.server.resumes]).toEqual([1, 4]);
  expect(a.store.restored().session!.epoch).toBe(4);
});

test("a mute server is given up after ten seconds", () => {
  const { world, a } = play("a");
  world.server.script = (_, packet) => (packet === command(ANSWER, Operation.RESUME) ? "lose" : "pass");
  world.server.cutAll();
  world.pass(12_000);
  expect(phases(a)).toContainEqual(expect.objectContaining({ state: "broken", reason: "noAnswer" }));
});

test("a restarted client resumes from its store", () => {
  const { world, a } = play("a");
  for (let round = 0; round < 3; round++) {
    world.restart(a);
    world.pass(1_000);
  }
  expect(signedIn(a)).toEqual([false, true, true, true]);
});

test("a refused resume falls back to a login and loses nothing", () => {
  const { world, a, b } = play("a", "b");
  world.server.forgetSessions();
  world.server.say("a", "b", "meanwhile");
  for (const actor of world.actors) world.restart(actor);
  world.send(a, "b", "after");
  world.pass(3_000);
  expect(world.server.logins).toBe(4);
  expect(b.heard()).toEqual(["meanwhile", "after"]);
});

test("a refused resume without a credential stops and asks the user, and forgets nothing", () => {
  const { world, a } = play("a");
  world.server.forgetSessions();
  world.restart(a);
  a.core.credential = undefined;
  world.pass(3_000);
  expect(why(a)).toMatchObject({ kind: "refused", refusal: { code: "resume_failed" } });
  expect(a.store.restored().session).toBeDefined();
});

test("the earlier session is forgotten when a login is sent, even if its answer never comes", () => {
  const { world, a } = play("a");
  world.server.script = (_, packet) => (packet === command(ANSWER, Operation.LOGIN) ? "cutBefore" : "pass");
  for (const begin of [() => a.core.signIn(world.now, { token: "a" }), () => world.server.forgetSessions()]) {
    begin();
    // The second time by a resume that is refused.
    if (!a.core.link.is("connecting")) a.core.disconnected(world.now);
    world.pass(1_100);
    expect(a.isLive).toBe(false);
    expect(a.store.restored().session).toBeUndefined();
    world.server.script = () => "pass";
    world.pass(40_000);
    expect(a.isLive).toBe(true);
    world.server.script = (_, packet) => (packet === command(ANSWER, Operation.LOGIN) ? "cutBefore" : "pass");
  }
  world.server.script = () => "pass";
  world.pass(10_000);
  expect(a.isLive).toBe(true);
  expect(signedIn(a)).toEqual([false, false, false]);
});

test("a kicked client stops and does not come back by itself", () => {
  const { world, a } = play("a");
  world.server.single = true;
  const second = world.add("a");
  world.pass(600_000);
  expect(why(a)).toEqual({ kind: "kicked", byTerm: "web", at: 77 });
  expect(a.store.restored().session).toBeUndefined();
  expect(second.isLive).toBe(true);
  expect(world.server.logins).toBe(2);
  // Only the user may want it back.
  a.core.start(world.now);
  world.settle();
  expect(a.isLive).toBe(true);
  expect(why(second)).toMatchObject({ kind: "kicked" });
});

test("a device that was kicked while away learns it at resume", () => {
  const { world, a } = play("a");
  world.server.single = true;
  a.dialsFail = true;
  world.server.cutAll();
  world.settle();
  world.add("a");
  world.settle();
  a.dialsFail = false;
  world.pass(120_000);
  expect(why(a)).toMatchObject({ kind: "kicked" });
  expect(world.server.logins, "it has not logged in again").toBe(2);
});

test("a bad credential stops, a busy server does not", () => {
  for (const [code, retryable] of [[proto.RefusalCode.UNAUTHENTICATED, false], [proto.RefusalCode.TRY_LATER, true]] as const) {
    const world = new World("a");
    const a = world.actors[0]!;
    world.server.refuseLogin = refusal(code, { retryable });
    world.pass(20_000);
    expect(a.core.link.is("stopped")).toBe(!retryable);
    expect(world.server.logins > 1).toBe(retryable);
    world.server.refuseLogin = undefined;
    world.pass(60_000);
    expect(a.isLive).toBe(retryable);
  }
});

test("back-off doubles with full jitter, and a new network skips it", () => {
  const world = new World("a");
  const a = world.actors[0]!;
  a.dialsFail = true;
  world.pass(800_000);
  const waits = phases(a).flatMap((phase) => (phase.state === "broken" ? [phase.retryInMs] : []));
  for (const [attempt, wait] of waits.entries()) expect(wait).toBeLessThanOrEqual(Math.min(1000 * 2 ** attempt, 30_000));
  expect(waits.length).toBeGreaterThan(12);
  expect(Math.max(...waits)).toBeGreaterThan(16_000);
  a.dialsFail = false;
  a.core.wake(world.now);
  world.settle();
  expect(a.isLive).toBe(true);
});

test("a server that falls silent is left after 90 seconds", () => {
  const { world, a } = play("a");
  world.server.script = () => "lose";
  world.pass(89_000);
  expect(a.isLive).toBe(true);
  world.pass(2_000);
  expect(phases(a)).toContainEqual(expect.objectContaining({ state: "broken", reason: "silent" }));
});

test("a device that wakes up finds a dead link within four seconds, and a living one stays", () => {
  const { world, a } = play("a");
  a.core.wake(world.now);
  world.pass(10_000);
  expect(signedIn(a)).toEqual([false]);
  world.server.script = () => "lose";
  a.core.wake(world.now);
  world.settle();
  world.server.script = () => "pass";
  world.pass(4_000);
  expect(signedIn(a), "and resumes at once").toEqual([false, true]);
});

test("an idle link stays up by heartbeats alone", () => {
  const { world, a } = play("a");
  world.pass(3_600_000);
  expect(signedIn(a)).toEqual([false]);
});

test("a quiet link sends no heartbeat and waits for no sign of life", () => {
  const { a } = play("a");
  const core = new Core({ ...a.config, seed: 1 }, nothing());
  core.credential = { token: "a" };
  core.start(0);
  core.connected(0, true);
  core.received(0, writeFrame(command(ANSWER, Operation.LOGIN), Uint8Array.from([0x1a, 1, 97, 0x2a, 32, ...new Array<number>(32).fill(5)])));
  expect(core.link.is("live")).toBe(true);
  core.take();
  core.timeout(1_000_000);
  const conversations = command(REQUEST, Operation.CONVERSATIONS);
  const frames = core.take().frames.map((frame) => new DataView(frame.buffer).getUint32(8));
  expect(frames.every((number) => number === conversations), "only the list is asked for again").toBe(true);
  expect(core.link.is("live")).toBe(true);
});

test("a dial that never ends is given up", () => {
  const { a } = play("a");
  const core = new Core(a.config, nothing());
  core.credential = { token: "a" };
  core.start(0);
  expect(core.deadline()).toBe(10_000);
  core.timeout(10_000);
  expect(core.link.phase).toMatchObject({ state: "broken", reason: "connectTimeout" });
});

test("a closing gate is left for a random part of the given time", () => {
  const { world, a } = play("a");
  world.server.notify("a", Operation.GOAWAY, proto.GoawayNotify, { reconnectAfterMs: 3_000, gates: ["other:1"] });
  world.settle();
  expect(a.core.link.phase).toMatchObject({ state: "broken", reason: "goaway" });
  world.pass(3_000);
  expect(a.isLive).toBe(true);
});

test("a version that is not spoken stops for good", () => {
  const { world, a } = play("a");
  world.server.notify("a", Operation.CLOSE, proto.CloseNotify, { refusal: refusal(proto.RefusalCode.UNSUPPORTED_VERSION) });
  world.pass(60_000);
  expect(why(a)).toEqual({ kind: "unsupported" });
});

test("a credential of another user does not mix with kept messages", () => {
  const { world, a } = play("a", "b");
  a.core.signIn(world.now, { token: "c" });
  world.settle();
  expect(why(a)).toEqual({ kind: "otherUser", user: "c" });
  expect(a.store.restored().user).toBe("a");
});

test("logging out ends the session and stops", () => {
  const { world, a } = play("a");
  world.request(a, 7, { kind: "logout" });
  world.pass(10_000);
  expect(why(a)).toEqual({ kind: "signed-out" });
  expect(a.told).toContainEqual(expect.objectContaining({ kind: "answered", token: 7, result: { answer: expect.anything() } }));
  expect(a.store.restored().session).toBeUndefined();
});

test("requests without a link or an answer are told so", () => {
  const { world, a } = play("a");
  const history = { kind: "history", user: "b", limit: 5 } as const;
  a.dialsFail = true;
  world.server.cutAll();
  world.settle();
  world.request(a, 1, history);
  a.dialsFail = false;
  world.pass(5_000);
  world.server.script = (_, packet) => (packet === command(REQUEST, Operation.HISTORY) ? "lose" : "pass");
  world.request(a, 2, history);
  world.pass(16_000);
  world.request(a, 3, history);
  world.settle();
  world.server.cutAll();
  world.settle();
  const results = a.told.flatMap((event) => (event.kind === "answered" && "error" in event.result ? [[event.token, event.result.error]] : []));
  expect(results).toEqual([[1, "offline"], [2, "noAnswer"], [3, "noAnswer"]]);
});

test("a bad frame, a body that does not parse, and a frame before its time break the link", () => {
  const frames = [new Uint8Array(16), writeFrame(command(3, Operation.MESSAGE), Uint8Array.from([0x0a, 9])), writeFrame(command(ANSWER, Operation.RESUME), new Uint8Array(0))];
  for (const frame of frames) {
    const { world, a } = play("a");
    a.core.received(world.now, frame);
    expect(a.core.link.phase).toMatchObject({ state: "broken", reason: "violation" });
    world.pass(5_000);
    expect(a.isLive).toBe(true);
  }
});

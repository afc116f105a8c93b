/** Every tab is a person of its own, and the same one after a reload. */
import { expect, test } from "vitest";
import { findSeat } from "../room/seat";

/** The locks of one browser; `free` ends a tab. */
class Locks {
  private readonly held = new Set<string>();

  request = (async (name: string, _options: LockOptions, run: (lock: Lock | null) => unknown) => {
    if (this.held.has(name)) return run(null);
    this.held.add(name);
    return run({ name, mode: "exclusive" });
  }) as LockManager["request"];

  free(profile: string): void {
    this.held.delete(`hongyan.demo.${profile}`);
  }
}

test("tabs sit beside each other, and a free seat is taken again", async () => {
  const locks = new Locks();
  const seats = [await findSeat(locks, null), await findSeat(locks, null), await findSeat(locks, null)];
  expect(seats.map(({ profile }) => profile)).toEqual(["room-1", "room-2", "room-3"]);
  locks.free("room-2");
  expect(await findSeat(locks, null)).toEqual({ profile: "room-2", name: "" });
});

test("a reload finds its seat and its name, a copy of the tab does not", async () => {
  const locks = new Locks();
  await findSeat(locks, null);
  const second = { ...(await findSeat(locks, null)), name: "Ann" };
  locks.free(second.profile);
  expect(await findSeat(locks, JSON.stringify(second))).toEqual({ profile: "room-2", name: "Ann" });
  expect(await findSeat(locks, JSON.stringify(second))).toEqual({ profile: "room-3", name: "" });
});

test("where there are no locks, all tabs are one person", async () => {
  expect(await findSeat(undefined, null)).toEqual({ profile: "room-1", name: "" });
});

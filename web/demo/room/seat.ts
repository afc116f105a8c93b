/**
 * Who a tab is. Every tab is a person of its own, so that one browser is enough to try the room: it takes the first seat
 * that no other tab has, and keeps it while it lives. A seat is a profile of the SDK, so visitors are known again. After a
 * reload the tab sits where it sat, goes back in under its name, and has said nothing twice.
 */

import { recall, remember } from "./memory";

const SEATS_MAX = 50;
const KEY = "hongyan.demo.room";

export interface Seat {
  profile: string;
  /** The name under which this tab was in, if it was only reloaded. */
  name: string;
}

type Locks = Pick<LockManager, "request">;

/** Takes a seat until the tab is closed; false if another tab has it. */
function take(locks: Locks, profile: string): Promise<boolean> {
  return new Promise((resolve) => {
    void locks.request(`hongyan.demo.${profile}`, { ifAvailable: true }, (lock) => {
      resolve(!!lock);
      return lock ? new Promise<void>(() => undefined) : undefined;
    });
  });
}

export async function findSeat(locks: Locks | undefined, kept: string | null): Promise<Seat> {
  const before = JSON.parse(kept ?? "null") as Seat | null;
  // Without locks tabs are not told apart; they are one person in the room.
  if (!locks) return before ?? { profile: "room-1", name: "" };
  if (before && (await take(locks, before.profile))) return before;
  for (let number = 1; number <= SEATS_MAX; number++) {
    const profile = `room-${number}`;
    if (await take(locks, profile)) return { profile, name: "" };
  }
  return { profile: `room-${Math.random()}`, name: "" };
}

export const keptSeat = (): string | null => recall("sessionStorage", KEY);
export const keepSeat = (seat: Seat): void => remember("sessionStorage", KEY, JSON.stringify(seat));

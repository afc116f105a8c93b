/**
 * How messages stand together in the list: which begins a day, and which belong to one run of the same person. Worked out
 * for a row when it is drawn, from its neighbours only, so that nothing has to be kept in step with the messages.
 */
import type { Message } from "@hongyan/sdk";

/** Messages of one person further apart than this begin a new run. */
const RUN_GAP_MS = 5 * 60_000;

export interface Place {
  /** The first of its day: a separator stands above. */
  day: boolean;
  /** The first and the last of a run. */
  first: boolean;
  last: boolean;
}

export function sameDay(a: number, b: number): boolean {
  // Most neighbours are close together; asking the calendar is the slow way.
  if (Math.abs(a - b) >= 86_400_000) return false;
  return new Date(a).getDate() === new Date(b).getDate();
}

const sameRun = (a: Message, b: Message): boolean =>
  a.own === b.own &&
  // An own message that the server does not have yet names no sender.
  (a.own || a.sender === b.sender) &&
  !a.event &&
  !b.event && Math.abs(b.time - a.time) < RUN_GAP_MS && sameDay(a.time, b.time);

export function place(messages: readonly Message[], index: number, newFrom?: number): Place {
  const message = messages[index];
  if (!message) return { day: false, first: true, last: true };
  const before = messages[index - 1];
  const after = messages[index + 1];
  return {
    day: !before || !sameDay(before.time, message.time),
    first: !before || !sameRun(before, message) || (newFrom !== undefined && message.seq === newFrom),
    last: !after || !sameRun(message, after) || (newFrom !== undefined && after.seq === newFrom),
  };
}

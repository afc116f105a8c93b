/**
 * A stretch of one conversation that is in memory: numbered messages in ascending order without holes, and behind them,
 * at the newest end, own ones that the server has not numbered yet. Pure values; `Timeline` decides what to load.
 */
import type { Message, Page } from "@hongyan/sdk";

/** Messages kept in memory; beyond it the far end is dropped and loaded again when somebody scrolls there. */
export const SEGMENT_MESSAGES_MAX = 600;

export interface Segment {
  messages: readonly Message[];
  /** What is covered, both inclusive; `to` is 0 if nothing is numbered yet. */
  from: number;
  to: number;
  /** Nothing exists below. */
  low: number;
  /** The newest message is in here, and new ones are appended. */
  atHead: boolean;
}

export const EMPTY: Segment = { messages: [], from: 0, to: 0, low: 0, atHead: true };

export const hasOlder = (segment: Segment): boolean => segment.from > segment.low && segment.from > 1;

export function fromPage(page: Page, atHead: boolean): Segment {
  return { messages: page.messages, from: page.from, to: page.to, low: page.low, atHead };
}

export function prepend(segment: Segment, page: Page): Segment {
  const older = page.messages.filter((message) => message.seq !== undefined && message.seq < segment.from);
  return cut({ ...segment, messages: [...older, ...segment.messages], from: Math.min(page.from, segment.from), low: page.low }, "end");
}

export function append(segment: Segment, page: Page, atHead: boolean): Segment {
  const newer = page.messages.filter((message) => message.seq === undefined || message.seq > segment.to);
  return cut({ ...segment, messages: [...segment.messages, ...newer], to: Math.max(page.to, segment.to), atHead }, "start");
}

function cut(segment: Segment, side: "start" | "end"): Segment {
  const excess = segment.messages.length - SEGMENT_MESSAGES_MAX;
  if (excess <= 0) return segment;
  if (side === "start") {
    const messages = segment.messages.slice(excess);
    return { ...segment, messages, from: messages[0]?.seq ?? segment.from };
  }
  const messages = segment.messages.slice(0, -excess).filter((message) => message.seq !== undefined);
  return { ...segment, messages, to: messages.at(-1)?.seq ?? segment.to, atHead: false };
}

/** What came in one by one may have made it too long: whoever reads its end keeps that, others what they read. */
export const bounded = (segment: Segment, atEnd: boolean): Segment => cut(segment, atEnd ? "start" : "end");

/** Index of the first message whose seq is `seq` or higher; own unnumbered ones count as higher than all. */
export function indexOfSeq(messages: readonly Message[], seq: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((messages[middle]?.seq ?? Infinity) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts a new or changed message where it belongs; what lies outside of the segment is not taken. */
export function put(segment: Segment, message: Message): Segment {
  const { local, seq } = message;
  let messages = segment.messages;
  if (local !== undefined) {
    const waiting = messages.findLastIndex((other) => other.local === local && other.seq === undefined);
    if (seq === undefined) {
      if (waiting >= 0) return { ...segment, messages: messages.with(waiting, message) };
      return segment.atHead ? { ...segment, messages: [...messages, message] } : segment;
    }
    if (waiting >= 0) messages = messages.toSpliced(waiting, 1);
  }
  if (seq === undefined) return segment;
  const index = indexOfSeq(messages, seq);
  if (messages[index]?.seq === seq) return { ...segment, messages: messages.with(index, message) };
  const inside = seq >= segment.from && seq <= segment.to;
  const next = seq > segment.to && segment.atHead;
  if (!inside && !next) return messages === segment.messages ? segment : { ...segment, messages };
  const grown = { ...segment, messages: messages.toSpliced(index, 0, message), to: Math.max(segment.to, seq) };
  return segment.messages.length === 0 ? { ...grown, from: Math.min(segment.from || seq, seq) } : grown;
}

export function without(segment: Segment, gone: { seq?: number; local?: number }): Segment {
  const messages = segment.messages.filter((message) =>
    gone.seq !== undefined ? message.seq !== gone.seq : message.seq !== undefined || message.local !== gone.local,
  );
  return messages.length === segment.messages.length ? segment : { ...segment, messages };
}

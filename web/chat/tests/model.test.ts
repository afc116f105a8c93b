import type { Message, SendState } from "@hongyan/sdk";
import { describe, expect, test } from "vitest";
import { place } from "../src/model/runs.js";
import { append, EMPTY, fromPage, indexOfSeq, prepend, put, SEGMENT_MESSAGES_MAX, without } from "../src/model/segment.js";
import { sendState } from "../src/model/ticks.js";

const NOON = new Date(2026, 10, 21, 12).getTime();
const MINUTE = 60_000;

const message = (given: Partial<Message>): Message => ({ user: "maya", own: false, type: "text", text: "", body: new Uint8Array(), time: NOON, edited: false, recalled: false, reactions: [], ...given });
const numbered = (from: number, to: number): Message[] => Array.from({ length: to - from + 1 }, (_, index) => message({ seq: from + index }));
const seqs = (messages: readonly Message[]) => messages.map(({ seq, local }) => seq ?? `l${local}`);

describe("runs", () => {
  const at = (minutes: number, own = false) => message({ time: NOON + minutes * MINUTE, own });

  test("end where the person changes, time passes, or a day begins", () => {
    const talk = [at(0), at(1), at(2, true), at(3, true), at(20, true), at(13 * 60, true)];
    expect(talk.map((_, index) => place(talk, index))).toEqual([
      { day: true, first: true, last: false },
      { day: false, first: false, last: true },
      { day: false, first: true, last: false },
      { day: false, first: false, last: true },
      { day: false, first: true, last: true },
      { day: true, first: true, last: true },
    ]);
  });

  test("do not cross midnight", () => {
    const talk = [at(12 * 60 - 1), at(12 * 60 + 1)];
    expect(place(talk, 1)).toEqual({ day: true, first: true, last: true });
    expect(place(talk, 0).last).toBe(true);
  });

  test("do not cross the line of new messages", () => {
    const talk = numbered(1, 3);
    expect(place(talk, 1, 2).first).toBe(true);
    expect(place(talk, 0, 2).last).toBe(true);
  });
});

describe("ticks", () => {
  const receipts = { deliveredSeq: 8, theirReadSeq: 5 };
  const own = (seq: number | undefined, state?: SendState) => sendState(message({ own: true, ...(seq ? { seq } : {}), ...(state ? { state } : {}) }), receipts);

  test("are the further of message and receipts", () => {
    expect(own(5, "sent")).toBe("read");
    expect(own(6, "sent")).toBe("delivered");
    expect(own(9, "sent")).toBe("sent");
    expect(own(9, "read")).toBe("read");
    expect(own(9, "sending")).toBe("sent");
    expect(own(9)).toBe("sent");
  });

  test("of what the server does not have are a clock or a failure", () => {
    expect(own(undefined)).toBe("sending");
    expect(own(undefined, "sending")).toBe("sending");
    expect(own(undefined, "failed")).toBe("failed");
  });

  test("are only for own messages", () => expect(sendState(message({ seq: 1 }), receipts)).toBeUndefined());
});

describe("a segment", () => {
  const page = (from: number, to: number) => ({ messages: numbered(from, to), from, to, low: 1 });

  test("grows at both ends without doubling", () => {
    const middle = fromPage(page(50, 59), false);
    const grown = append(prepend(middle, page(40, 51)), page(55, 70), true);
    expect(seqs(grown.messages)).toEqual(seqs(numbered(40, 70)));
    expect(grown).toMatchObject({ from: 40, to: 70, atHead: true });
  });

  test("forgets the far end beyond its limit", () => {
    const full = fromPage(page(2_000, 2_000 + SEGMENT_MESSAGES_MAX - 1), true);
    const up = prepend(full, page(1_950, 1_999));
    expect(up.messages).toHaveLength(SEGMENT_MESSAGES_MAX);
    expect(up).toMatchObject({ from: 1_950, to: 1_949 + SEGMENT_MESSAGES_MAX, atHead: false });
    const down = append(fromPage(page(1, SEGMENT_MESSAGES_MAX), false), page(SEGMENT_MESSAGES_MAX + 1, SEGMENT_MESSAGES_MAX + 50), true);
    expect(down).toMatchObject({ from: 51, to: SEGMENT_MESSAGES_MAX + 50, atHead: true });
  });

  test("takes new messages only at the head, changed ones wherever they are", () => {
    const head = fromPage(page(1, 5), true);
    expect(seqs(put(head, message({ seq: 7 })).messages)).toEqual([1, 2, 3, 4, 5, 7]);
    expect(put(head, message({ seq: 3, recalled: true })).messages[2]?.recalled).toBe(true);
    const away = fromPage(page(3, 5), false);
    expect(put(away, message({ seq: 9 }))).toBe(away);
    expect(put(away, message({ seq: 1 }))).toBe(away);
  });

  test("begins with the first message of a conversation", () => {
    const begun = put(EMPTY, message({ seq: 4 }));
    expect(begun).toMatchObject({ from: 4, to: 4 });
    expect(seqs(put(begun, message({ seq: 5 })).messages)).toEqual([4, 5]);
  });

  test("keeps unnumbered messages last until they are numbered", () => {
    let segment = put(fromPage(page(1, 2), true), message({ own: true, local: 7, state: "sending" }));
    segment = put(segment, message({ own: true, local: 8, state: "sending" }));
    segment = put(segment, message({ seq: 3 }));
    expect(seqs(segment.messages)).toEqual([1, 2, 3, "l7", "l8"]);
    segment = put(segment, message({ own: true, local: 7, seq: 4, state: "sent" }));
    expect(seqs(segment.messages)).toEqual([1, 2, 3, 4, "l8"]);
    expect(seqs(without(segment, { local: 8 }).messages)).toEqual([1, 2, 3, 4]);
    expect(seqs(without(segment, { seq: 2 }).messages)).toEqual([1, 3, 4, "l8"]);
  });

  test("finds a place among holes", () => {
    const messages = [2, 5, 9].map((seq) => message({ seq }));
    expect([1, 2, 3, 9, 10].map((seq) => indexOfSeq(messages, seq))).toEqual([0, 0, 1, 2, 3]);
  });
});

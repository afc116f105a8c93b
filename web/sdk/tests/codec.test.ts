/** The codec against the vectors that every implementation of the protocol is tested with. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decode, encode, Malformed, type Type } from "../src/wire/codec";
import * as proto from "../src/wire/proto";
import * as command from "../src/wire/command";
import { bundle, FrameReader, readHeader, writeFrame } from "../src/wire/frame";

const vectors = (name: string) => JSON.parse(readFileSync(new URL(`../../../proto/vectors/${name}.json`, import.meta.url), "utf8"));
const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** Proto3 JSON as the codec gives it: without defaults, bytes in base64, enums by name, 64-bit numbers as strings. */
function json(what: Type<any>, message: any, names: Record<string, string> = {}): any {
  const out: any = {};
  for (const [, name, kind, often, of] of what.rows()) {
    const one = (value: any): any => {
      if (of) return json(of, value, names);
      if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
      return kind === 2 ? String(value) : value;
    };
    const value = message[name];
    if (often === 2) {
      if (value.length) out[name] = value.map(one);
    } else if (value !== undefined && (often === 1 || of || (value instanceof Uint8Array ? value.length : value))) out[name] = one(value);
  }
  return out;
}

/** The vector with enum names as numbers and 64-bit numbers as this codec cuts them. */
function expected(what: Type<any>, wanted: any): any {
  const out: any = {};
  for (const [, name, kind, often, of] of what.rows()) {
    const value = wanted[name];
    if (value === undefined) continue;
    const one = (value: any): any => {
      if (of) return expected(of, value);
      if (kind === 1 && typeof value === "string") return enumNumber(value);
      if (kind === 2) return String(Math.min(Number(value), Number.MAX_SAFE_INTEGER));
      return value;
    };
    const mapped = Array.isArray(value) ? value.map(one) : one(value);
    if (of || often === 1 || (mapped && mapped !== "0" && mapped.length !== 0)) out[name] = mapped;
  }
  return out;
}

function enumNumber(name: string): number {
  const enums = [
    proto.BodyType, proto.Term, proto.KickoutReason, proto.RefusalCode, proto.GroupRole, proto.JoinPolicy, proto.HistoryPolicy,
    proto.FriendEventKind, proto.FriendPolicy, proto.Audience, proto.Gender, proto.Tie, proto.PresenceState,
  ];
  for (const values of enums as Record<string, number>[]) {
    const number = values[name];
    if (number !== undefined) return number;
  }
  throw new Error(`no such enum value: ${name}`);
}

/** Only Noise has them; this SDK speaks TLS. */
const withoutTable = ["HandshakeRequest", "HandshakeAnswer", "RekeyNotify"];

describe("messages.json", () => {
  const { messages } = vectors("messages") as { messages: { message: string; hex: string; json: any; note?: string }[] };
  for (const vector of messages.filter((vector) => !withoutTable.includes(vector.message))) {
    test(`${vector.message} ${vector.note ?? ""}`, () => {
      const what = (proto as unknown as Record<string, Type<any>>)[vector.message]!;
      const decoded = decode(what, bytes(vector.hex));
      expect(json(what, decoded)).toEqual(expected(what, vector.json));
      const cut = /"\d{16,}"/.exec(JSON.stringify(vector.json));
      if (!cut) expect(hex(encode(what, decoded))).toBe(vector.hex);
    });
  }
  test("hold every message that has a table", () => {
    const known = Object.entries(proto).filter(([, value]) => "rows" in value).map(([name]) => name);
    const covered = new Set(messages.map((vector) => vector.message));
    expect(known.filter((name) => !covered.has(name))).toEqual([]);
  });
});

test("a number above 2^53 - 1 is cut, and does not break the message", () => {
  const { messages } = vectors("messages") as { messages: { message: string; hex: string; note?: string }[] };
  const vector = messages.find((vector) => vector.note === "every field, large numbers")!;
  const decoded = decode(proto.SendRequest, bytes(vector.hex));
  expect(decoded.expiresAtMs).toBe(Number.MAX_SAFE_INTEGER);
  expect(decoded.id).toBe(4_294_967_295);
  expect(decoded.user).toBe("bob");
});

test("every number of commands.json", () => {
  const { commands, refusals } = vectors("commands") as Record<string, { name: string; number: number }[]>;
  const kinds: Record<string, number> = { R: command.REQUEST, A: command.ANSWER, N: command.NOTIFY };
  for (const { name, number } of commands!) {
    const [operation, kind] = name.split(".") as [string, string];
    if (operation === "HANDSHAKE" || operation === "REKEY") continue;
    expect(command.command(kinds[kind]!, (command.Operation as Record<string, number>)[operation]!), name).toBe(number);
    expect(command.kindOf(number)).toBe(kinds[kind]);
  }
  expect(Object.entries(proto.RefusalCode).map(([name, number]) => ({ name, number }))).toEqual(refusals);
});

describe("frames.json", () => {
  const { valid, invalid } = vectors("frames");
  test("valid headers", () => {
    for (const { hex: header, command, flags, length } of valid) expect(readHeader(bytes(header))).toEqual({ command, flags, length });
  });
  test("invalid headers", () => {
    for (const one of invalid) expect(readHeader(bytes(one.hex), one.body_bytes_max), one.hex).toBe(one.violation);
  });
  test("frames survive any cut, and what comes behind a bad one is not looked at", () => {
    const frames = [writeFrame(1, new Uint8Array(3)), writeFrame(2, new Uint8Array(0)), writeFrame(3, new Uint8Array(300).fill(7))];
    const all = bundle(frames, 1 << 20)[0]!;
    for (let step = 1; step < all.length; step += 5) {
      const reader = new FrameReader();
      const got = [];
      for (let at = 0; at < all.length; at += step) got.push(...reader.read(all.subarray(at, at + step)));
      expect(got.map((frame) => [frame.command, frame.body.length])).toEqual([[1, 3], [2, 0], [3, 300]]);
    }
    expect(() => [...new FrameReader().read(all.map((byte, at) => (at === 3 ? 9 : byte)))]).toThrow("UnsupportedVersion");
    const encrypted = all.map((byte, at) => (at === 2 ? 1 : byte));
    expect(() => [...new FrameReader().read(encrypted)]).toThrow("bad frame");
    expect(bundle(frames, 40).map((one) => one.length)).toEqual([35, 316]);
  });
});

test("bytes that are no message are refused", () => {
  for (const bad of ["0a", "0a05616263", "08", "08ffffffffffffffffffffff01", "0801ff", "12021a", "1202c328"]) {
    expect(() => decode(proto.SendRequest, bytes(bad)), bad).toThrow(Malformed);
  }
  // An unknown field of every kind is skipped.
  expect(decode(proto.KeepaliveRequest, bytes("f00105" + "f90101020304050607 08".replace(" ", "") + "fa0102aabb" + "fd0101020304" + "0807"))).toEqual({ id: 7 });
});

test("lists of numbers may come packed or one by one", () => {
  expect(decode(proto.Deletion, bytes("12020304")).seqs).toEqual([3, 4]);
  expect(decode(proto.Deletion, bytes("10031004")).seqs).toEqual([3, 4]);
  expect(hex(encode(proto.Deletion, { seqs: [3, 4] }))).toBe("12020304");
});

/**
 * Protobuf by tables: encodes and decodes the messages that `proto.ts` describes. Knows nothing of what they mean.
 *
 * Fields with their default value are not written; unknown fields are skipped. 64-bit numbers are JavaScript numbers,
 * cut to 2^53 - 1. They are not refused, because another person chooses some of them (`expires_at_ms`): one message with a
 * large one would end every connection over which its reader tries to get it.
 */

export const BOOL = 0;
export const U32 = 1;
export const U64 = 2;
export const DOUBLE = 3;
export const STRING = 4;
export const BYTES = 5;
export const MESSAGE = 6;

/** How often a field may be there. */
export const ONE = 0;
export const ONE_OF = 1;
export const MANY = 2;

/** Number, name, what it is, how often, and of which message. */
type Row = readonly [number, string, number, number, Type<any>?];

/** By which letters `proto.ts` writes what a field is, and how often. */
const KINDS = "bundsym";
const OFTEN = " ?*";

/** Describes the messages T. The table is made at first use, because messages may hold each other. */
export interface Type<T> {
  rows(): readonly Row[];
  /** Only for the compiler. */
  readonly of?: T;
}

/** What is given to be encoded: absent fields have their defaults. */
export type Init<T> = T extends Uint8Array | string | number | boolean | undefined
  ? T
  : T extends (infer E)[]
    ? Init<E>[]
    : { [K in keyof T]?: Init<T[K]> };

/** From a line such as `id:u refusal:m 4names:s*`: a field without a number has the next one. */
export function type<T>(line: string, held?: () => Type<any>[]): Type<T> {
  let made: readonly Row[] | undefined;
  return { rows: () => (made ??= rowsOf(line, held?.() ?? [])) };
}

function rowsOf(line: string, held: Type<any>[]): Row[] {
  let next = 1;
  return [...line.matchAll(/(\d*)(\w+):(.)(.?)/g)].map(([, number, name, letter, often]) => {
    const at = Number(number) || next;
    next = at + 1;
    const kind = KINDS.indexOf(letter!);
    return [at, name!, kind, Math.max(OFTEN.indexOf(often!), 0), kind === MESSAGE ? held.shift() : undefined];
  });
}

/** Bytes that are not what they should be. */
export class Malformed extends Error {}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NOTHING = new Uint8Array(0);
const WORD = 2 ** 32;

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

class Writer {
  bytes = new Uint8Array(64);
  length = 0;

  room(wanted: number): void {
    if (this.length + wanted > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + wanted));
      larger.set(this.bytes);
      this.bytes = larger;
    }
  }

  varint(value: number): void {
    this.room(10);
    while (value > 127) {
      this.bytes[this.length++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    this.bytes[this.length++] = value;
  }

  lengthy(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.room(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  value(number: number, kind: number, value: any, of: Type<any> | undefined): void {
    this.varint(number * 8 + (kind < DOUBLE ? 0 : kind === DOUBLE ? 1 : 2));
    if (kind < DOUBLE) this.varint(Number(value));
    else if (kind === DOUBLE) {
      this.room(8);
      new DataView(this.bytes.buffer).setFloat64(this.length, value, true);
      this.length += 8;
    } else this.lengthy(kind === STRING ? utf8(value) : kind === BYTES ? value : encode(of!, value));
  }
}

function isDefault(kind: number, value: any): boolean {
  // A double of -0 is not its default.
  return kind === DOUBLE ? Object.is(value, 0) : kind === BYTES ? value.length === 0 : kind !== MESSAGE && !value;
}

export function encode<T>(what: Type<T>, message: Init<T>): Uint8Array {
  const writer = new Writer();
  const fields = message as Readonly<Record<string, unknown>>;
  for (const [number, name, kind, often, of] of what.rows()) {
    const value = fields[name];
    if (value === undefined) continue;
    if (!Array.isArray(value)) {
      if (often === ONE_OF || !isDefault(kind, value)) writer.value(number, kind, value, of);
    } else if (kind < DOUBLE && value.length) {
      const packed = new Writer();
      for (const one of value) packed.varint(Number(one));
      writer.varint(number * 8 + 2);
      writer.lengthy(packed.bytes.subarray(0, packed.length));
    } else for (const one of value) writer.value(number, kind, one, of);
  }
  return writer.bytes.slice(0, writer.length);
}

class Reader {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}

  varint(kind = U64): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) break;
      const bits = byte & 127;
      if (shift < 28) low += bits * 2 ** shift;
      else high += bits * 2 ** (shift - 28);
      if (byte < 128) {
        // What is above 64 bits is no number at all.
        if (high >= 2 ** 36) break;
        if (kind === BOOL) return low || high ? 1 : 0;
        const value = low + high * 2 ** 28;
        return kind === U32 ? (low + (high % 16) * 2 ** 28) % WORD : value > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : value;
      }
    }
    throw new Malformed("a number does not end");
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new Malformed("a field ends beyond its message");
    return this.bytes.subarray(this.at, (this.at += length));
  }

  skip(wire: number): void {
    if (wire === 0) this.varint();
    else if (wire === 1) this.take(8);
    else if (wire === 2) this.take(this.varint());
    else if (wire === 5) this.take(4);
    else throw new Malformed("an unknown kind of field");
  }

  value(kind: number, of: Type<any> | undefined): unknown {
    if (kind === BOOL) return this.varint(BOOL) === 1;
    if (kind < DOUBLE) return this.varint(kind);
    if (kind === DOUBLE) {
      const bytes = this.take(8);
      return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
    }
    const bytes = this.take(this.varint());
    if (kind === BYTES) return bytes.slice();
    return kind === STRING ? text(bytes) : decode(of!, bytes);
  }
}

/** UTF-8; throws `Malformed` if it is not. */
export function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Malformed("not UTF-8");
  }
}

const DEFAULTS = [false, 0, 0, 0, "", NOTHING];

export function decode<T>(what: Type<T>, bytes: Uint8Array): T {
  const rows = what.rows();
  const message: any = {};
  for (const [, name, kind, often] of rows) {
    if (often === MANY) message[name] = [];
    else if (often === ONE && kind !== MESSAGE) message[name] = DEFAULTS[kind];
  }
  const reader = new Reader(bytes);
  while (reader.at < bytes.length) {
    const tag = reader.varint(U32);
    const wire = tag % 8;
    const row = rows.find((row) => row[0] === Math.floor(tag / 8));
    const right = row && (row[2] < DOUBLE ? 0 : row[2] === DOUBLE ? 1 : 2);
    if (row && wire === right) {
      const value = reader.value(row[2], row[4]);
      if (row[3] === MANY) message[row[1]].push(value);
      else message[row[1]] = value;
    } else if (row && row[3] === MANY && right === 0 && wire === 2) {
      const packed = new Reader(reader.take(reader.varint()));
      while (packed.at < packed.bytes.length) message[row[1]].push(packed.value(row[2], row[4]));
    } else if (row) throw new Malformed("a field of another kind");
    else reader.skip(wire);
  }
  return message;
}

/**
 * Frames (PROTOCOL.md §1) as they travel over TLS: flag 0 only. Cuts a stream of bytes into frames; does not decode
 * their bodies.
 */

export const HEADER_BYTES = 16;
export const BODY_BYTES_MAX = 65_535;
/** "HYIM" */
const MAGIC = 0x4859_494d;
const VERSION = 1;

/** Why a header is refused, in the order of the checks. */
export type Violation = "BadMagic" | "UnsupportedVersion" | "ReservedBits" | "TooBig";

export interface Header {
  flags: number;
  command: number;
  length: number;
}

export interface Frame {
  command: number;
  body: Uint8Array;
}

/** Reads 16 bytes. Flag 1 is known to the protocol, although nothing over TLS has it. */
export function readHeader(bytes: Uint8Array, bodyBytesMax = BODY_BYTES_MAX): Header | Violation {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const flags = view.getUint8(2);
  if (view.getUint32(4) !== MAGIC) return "BadMagic";
  if (view.getUint8(3) !== VERSION) return "UnsupportedVersion";
  if (view.getUint16(0) !== 0 || flags > 1) return "ReservedBits";
  const length = view.getUint32(12);
  return length > bodyBytesMax ? "TooBig" : { flags, command: view.getUint32(8), length };
}

export function writeFrame(command: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(3, VERSION);
  view.setUint32(4, MAGIC);
  view.setUint32(8, command);
  view.setUint32(12, body.length);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** Collects bytes until frames are whole. */
export class FrameReader {
  private rest: Uint8Array = new Uint8Array(0);

  /** The frames that are whole now; throws at the first header that is wrong. */
  *read(bytes: Uint8Array): Generator<Frame> {
    let all = bytes;
    if (this.rest.length) {
      all = new Uint8Array(this.rest.length + bytes.length);
      all.set(this.rest);
      all.set(bytes, this.rest.length);
    }
    this.rest = all;
    while (this.rest.length >= HEADER_BYTES) {
      const header = readHeader(this.rest);
      if (typeof header === "string" || header.flags) throw new Error(`a bad frame: ${JSON.stringify(header)}`);
      const end = HEADER_BYTES + header.length;
      if (this.rest.length < end) return;
      const body = this.rest.subarray(HEADER_BYTES, end);
      this.rest = this.rest.subarray(end);
      yield { command: header.command, body };
    }
  }
}

/** Joins frames into bundles of at most `max` bytes each. */
export function bundle(frames: readonly Uint8Array[], max: number): Uint8Array[] {
  const bundles: Uint8Array[] = [];
  let from = 0;
  while (from < frames.length) {
    let bytes = frames[from]!.length;
    let to = from + 1;
    while (to < frames.length && bytes + frames[to]!.length <= max) bytes += frames[to++]!.length;
    const joined = new Uint8Array(bytes);
    let at = 0;
    for (; from < to; from++) {
      joined.set(frames[from]!, at);
      at += frames[from]!.length;
    }
    bundles.push(joined);
  }
  return bundles;
}

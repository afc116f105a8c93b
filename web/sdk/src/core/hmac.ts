/**
 * HMAC-SHA-256 (RFC 2104, FIPS 180-4), for `proof.ts` only. The browser's own is there on secure pages only and answers
 * later, while the core decides at once; a library of hash functions is five times as large as this.
 */

const BLOCK_BYTES = 64;
const WORD = 2 ** 32;

/** The first bits of the fractions of roots of the first primes: where all constants of SHA-256 come from. */
const FIRST: number[] = [];
const ROUNDS: number[] = [];
for (let number = 2; ROUNDS.length < 64; number++) {
  let divisor = 2;
  while (number % divisor) divisor++;
  if (divisor < number) continue;
  if (FIRST.length < 8) FIRST.push((number ** (1 / 2) * WORD) | 0);
  ROUNDS.push((number ** (1 / 3) * WORD) | 0);
}

const turn = (word: number, bits: number) => (word >>> bits) | (word << (32 - bits));

/** One block into the state. */
function mix(state: number[], block: DataView, at: number): void {
  const words: number[] = [];
  let [a, b, c, d, e, f, g, h] = state as [number, number, number, number, number, number, number, number];
  for (let round = 0; round < 64; round++) {
    if (round < 16) words.push(block.getInt32(at + round * 4));
    else {
      const near = words[round - 2]!;
      const far = words[round - 15]!;
      const nearMixed = turn(near, 17) ^ turn(near, 19) ^ (near >>> 10);
      const farMixed = turn(far, 7) ^ turn(far, 18) ^ (far >>> 3);
      words.push((nearMixed + words[round - 7]! + farMixed + words[round - 16]!) | 0);
    }
    const chosen = (e & f) ^ (~e & g);
    const first = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + chosen + ROUNDS[round]! + words[round]!;
    const second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => (state[index] = (state[index]! + word) | 0));
}

export function sha256(bytes: Uint8Array): Uint8Array {
  // The bytes, one bit that is set, zeros, and the number of bits.
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK_BYTES) * BLOCK_BYTES);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, (bytes.length * 8) / WORD);
  view.setUint32(padded.length - 4, bytes.length * 8);
  const state = [...FIRST];
  for (let at = 0; at < padded.length; at += BLOCK_BYTES) mix(state, view, at);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, index) => digest.setInt32(index * 4, word));
  return new Uint8Array(digest.buffer);
}

export function hmac(key: Uint8Array, text: Uint8Array): Uint8Array {
  const short = key.length > BLOCK_BYTES ? sha256(key) : key;
  const hash = (mask: number, rest: Uint8Array) => {
    const whole = new Uint8Array(BLOCK_BYTES + rest.length).fill(mask, 0, BLOCK_BYTES);
    short.forEach((byte, at) => (whole[at]! ^= byte));
    whole.set(rest, BLOCK_BYTES);
    return sha256(whole);
  };
  return hash(0x5c, hash(0x36, text));
}

/** Finds what may be clicked in a text. Everything else stays text: there is no markup in what visitors and merchants write. */

export interface Piece {
  text: string;
  /** Only http and https, and nothing that hides where it goes. */
  href?: string;
}

const ADDRESS = /https?:\/\/[^\s<>"'`\\\u3000-\u303f\uff00-\uffef]+/gi;
/** The end of a sentence is not the end of an address. */
const CLOSING = /[.,:;!?)\]}]+$/;
/** Controls that turn letters around. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/;

export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = found[0].replace(CLOSING, "");
    const href = hrefOf(address);
    if (!href) continue;
    if (found.index > at) pieces.push({ text: text.slice(at, found.index) });
    pieces.push({ text: address, href });
    at = found.index + address.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at) });
  return pieces;
}

function hrefOf(address: string): string | undefined {
  if (TURNING.test(address)) return undefined;
  try {
    const { href, username, password } = new URL(address);
    // `https://bank.example@evil.example/` looks like the bank.
    return username || password ? undefined : href;
  } catch {
    return undefined;
  }
}

/**
 * The text of a message as a list of pieces: plain words, links, `code` and blocks of code. A text from a stranger only
 * ever becomes strings and checked addresses here; nothing of it is read as HTML. Linear in the length of the text.
 */

export type Piece =
  | { kind: "text"; text: string }
  | { kind: "link"; text: string; href: string }
  | { kind: "code"; text: string }
  | { kind: "block"; text: string };

/** Stacked accents drawn on one letter; more would cover the lines above and below. */
const MARKS_MAX = 4;
const BIG_EMOJI_MAX = 5;

const FENCE = /```(?:[a-z0-9+#-]{0,20}\n)?([\s\S]*?)```/gi;
const CODE = /`([^`\n]+)`/g;
// No quotes, brackets, controls or direction marks: what a link shows is what it opens.
const ADDRESS = /(?:https?:\/\/|www\.)[^\s<>"'`\p{Cc}\p{Cf}\u3000-\u303f\uff00-\uffef]+/giu;

export function parse(text: string): Piece[] {
  const pieces: Piece[] = [];
  split(text, FENCE, (block) => pieces.push({ kind: "block", text: block.replace(/\n$/, "") }), (rest, afterBlock, beforeBlock) => {
    // The line breaks around a block belong to the block.
    const inner = rest.slice(afterBlock && rest.startsWith("\n") ? 1 : 0, beforeBlock && rest.endsWith("\n") ? -1 : undefined);
    split(inner, CODE, (code) => pieces.push({ kind: "code", text: code }), (plain) => linked(plain, pieces));
  });
  return pieces;
}

function split(text: string, pattern: RegExp, hit: (inside: string) => void, miss: (text: string, after: boolean, before: boolean) => void): void {
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    const inside = match[1] ?? "";
    if (inside.trim() === "") continue;
    if (match.index > at) miss(text.slice(at, match.index), at > 0, true);
    hit(inside);
    at = match.index + match[0].length;
  }
  if (at < text.length) miss(text.slice(at), at > 0, false);
}

function linked(text: string, pieces: Piece[]): void {
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const shown = trimmed(match[0]);
    const href = address(shown);
    if (!href) continue;
    if (match.index > at) pieces.push({ kind: "text", text: calm(text.slice(at, match.index)) });
    pieces.push({ kind: "link", text: shown, href });
    at = match.index + shown.length;
  }
  if (at < text.length) pieces.push({ kind: "text", text: calm(text.slice(at)) });
}

/** Without the punctuation of the sentence around it; a closing bracket stays if it was opened inside. */
function trimmed(shown: string): string {
  for (;;) {
    const last = shown.at(-1) ?? "";
    if (last === ")" && shown.split("(").length >= shown.split(")").length) return shown;
    if (!/[.,;:!?)\]}*_~…]/.test(last)) return shown;
    shown = shown.slice(0, -1);
  }
}

/** The address a link opens, or nothing if it is not plainly what it looks like. */
function address(shown: string): string | undefined {
  try {
    const url = new URL(/^www\./i.test(shown) ? `https://${shown}` : shown);
    if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
    // `https://bank.example@evil.example` shows another name than it opens.
    return url.username || url.password ? undefined : url.href;
  } catch {
    return undefined;
  }
}

const calm = (text: string): string => text.replace(new RegExp(`(\\p{M}{${MARKS_MAX}})\\p{M}+`, "gu"), "$1");

const EMOJI = /^(?:\p{RI}\p{RI}|[#*0-9]\ufe0f?\u20e3|(?![\d#*])\p{Emoji}(?:\p{EMod}|\ufe0f)?(?:\u200d\p{Emoji}(?:\p{EMod}|\ufe0f)?)*[\u{e0020}-\u{e007f}]*)$/u;

/** How many emoji a text consists of, if it consists of a few and nothing else; otherwise 0. */
export function onlyEmoji(text: string): number {
  const bare = text.trim();
  if (bare === "" || bare.length > 80 || /[A-Za-z]/.test(bare)) return 0;
  let count = 0;
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(bare)) {
    if (/^\s+$/.test(segment)) continue;
    if (!EMOJI.test(segment)) return 0;
    count += 1;
    if (count > BIG_EMOJI_MAX) return 0;
  }
  return count;
}

/** The direction of a text, by its first letter that has one. */
export function direction(text: string): "ltr" | "rtl" {
  const first = /\p{L}/u.exec(text)?.[0] ?? "";
  return /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(first) ? "rtl" : "ltr";
}

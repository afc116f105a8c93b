/** Rules and looks of names. PROTOCOL.md §14 allows 1–64 of these characters; visitors start with `~`. */

export const NAME_CHARACTERS_MAX = 64;
export const PASSWORD_BYTES_MIN = 8;
export const PASSWORD_BYTES_MAX = 1_024;
/** Of a message (PROTOCOL.md §14). */
export const TEXT_BYTES_MAX = 16_384;
/** Hues of avatars in CSS, `--hue-0` and on. */
const HUES = 10;

export const isName = (name: string): boolean => /^~?[A-Za-z0-9._\-@]{1,64}$/.test(name);

export const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** One or two letters for a picture: of the first and the last word, or the first two of a single one. */
export function initials(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter(Boolean);
  const first = words[0] ?? name;
  const last = words.length > 1 ? words.at(-1) : undefined;
  return (last ? first.charAt(0) + last.charAt(0) : first.slice(0, 1)).toUpperCase() || "?";
}

export function hueOf(name: string): number {
  let hash = 2166136261;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  return (hash >>> 0) % HUES;
}

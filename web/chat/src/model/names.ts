/** Rules and looks of names. PROTOCOL.md §14 allows 1–64 of these characters; visitors start with `~`. */
import type { Words } from "../words/en.js";

export const NAME_CHARACTERS_MAX = 64;
export const PASSWORD_BYTES_MIN = 8;
export const PASSWORD_BYTES_MAX = 1_024;
/** Of a message (PROTOCOL.md §14). */
export const TEXT_BYTES_MAX = 16_384;
/** Of a visitor's name: enough to tell apart those who are here today. */
const TELLING_CHARACTERS = 4;
/** Hues of avatars in CSS, `--hue-0` and on. */
const HUES = 10;

export const isName = (name: string): boolean => /^~?[A-Za-z0-9._\-@]{1,64}$/.test(name);

/** Of a conversation as the address bar and the parts of this page name it: one that was held as a visitor, before there was an account, by both names (`shop~4kq`). */
export const idOf = ({ user, asVisitor }: { user: string; asVisitor?: string }): string => user + (asVisitor ?? "");

export function partsOf(id: string): { user: string; asVisitor?: string } {
  const at = id.indexOf("~", 1);
  return at < 0 ? { user: id } : { user: id.slice(0, at), asVisitor: id.slice(at) };
}

const GROUP = "#";

export const isGroup = (id: string): boolean => id.startsWith(GROUP);

/** The id of a group out of that of its conversation, and back. */
export const groupIn = (id: string): string => id.slice(GROUP.length);
export const idOfGroup = (group: string): string => GROUP + group;

/** What stands above a conversation: a person's name, or a group's title. */
export const titleOf = ({ user, group }: { user: string; group?: { title: string } | undefined }, words: Words): string =>
  isGroup(user) ? group?.title || groupIn(user) : called(user, words);

export const isVisitor = (user: string): boolean => user.startsWith("~");

/** What people call this person: visitors have no name of their own, only letters that tell them apart. */
export const called = (user: string, words: Words): string => (isVisitor(user) ? words.visitorName(user.slice(1, 1 + TELLING_CHARACTERS)) : user);

export const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** One or two letters for a picture: of the first and the last word, or of a single one. Titles may have any letters. */
export function initials(name: string): string {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? [];
  const letter = (word: string | undefined) => [...(word ?? "")][0] ?? "";
  const first = letter(words[0]);
  // One character of Chinese says as much as two letters.
  const last = words.length > 1 && !/[\u2e80-\uffef]/.test(first) ? letter(words.at(-1)) : "";
  return (first + last).toUpperCase() || "?";
}

export function hueOf(name: string): number {
  let hash = 2166136261;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  return (hash >>> 0) % HUES;
}

/**
 * Who is spoken to in a text of a group: where `@` begins a name that is being written, which members a text names, and which
 * stretches of a text are such names. Pure; the server is told users, a text only shows names.
 */

/** PROTOCOL.md §21. */
export const MENTIONS_MAX = 50;
const SHOWN_MAX = 8;

/** A member as people call them here: by their name, and by a nickname if they have one. */
export interface Named {
  user: string;
  nickname: string;
}

/** What follows an `@` in front of the caret, if a name is being written there. */
export function beginning(text: string, caret: number): { at: number; typed: string } | undefined {
  const found = /(?:^|[^A-Za-z0-9._-])@([^\s@]{0,64})$/.exec(text.slice(0, caret));
  if (!found) return undefined;
  const typed = found[1] ?? "";
  return { at: caret - typed.length - 1, typed };
}

/** Who may be meant, best first. */
export function candidates<T extends Named>(members: Iterable<T>, typed: string, me: string): T[] {
  const low = typed.toLowerCase();
  const rank = ({ user, nickname }: T) => {
    const names = [nickname, user].map((name) => name.toLowerCase());
    return names.some((name) => name && name.startsWith(low)) ? 0 : names.some((name) => name.includes(low)) ? 1 : 2;
  };
  const meant = [...members].filter((member) => member.user !== me && rank(member) < 2);
  return meant.sort((a, b) => rank(a) - rank(b) || (shownName(a) < shownName(b) ? -1 : 1)).slice(0, SHOWN_MAX);
}

export const shownName = ({ user, nickname }: Named): string => nickname || user;

/** Puts a name where it was being written; returns the text and where the caret goes. */
export function complete(text: string, caret: number, at: number, name: string): { text: string; caret: number } {
  const head = `${text.slice(0, at)}@${name} `;
  return { text: head + text.slice(caret).replace(/^ /, ""), caret: head.length };
}

/** Users that the text names, at most as many as may be. */
export function mentionsIn(text: string, members: Iterable<Named>): string[] {
  if (!text.includes("@")) return [];
  const users: string[] = [];
  for (const member of members) {
    if ([member.user, member.nickname].some((name) => name && placesOf(text, name).length)) users.push(member.user);
    if (users.length >= MENTIONS_MAX) break;
  }
  return users;
}

/** Where `@name` stands in the text, and does not go on as another name. */
function placesOf(text: string, name: string): number[] {
  const places: number[] = [];
  const wanted = `@${name}`;
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const end = at + wanted.length;
    const goesOn = /[A-Za-z0-9_-]$/.test(name) && /^[.@]*[A-Za-z0-9_-]/.test(text.slice(end, end + 3));
    if (!goesOn) places.push(at);
  }
  return places;
}

export interface Stretch {
  text: string;
  /** The name, if it is one. */
  name?: string;
}

/** Cuts a text at the names that are mentioned in it. */
export function stretches(text: string, names: readonly string[]): Stretch[] {
  const found = names.flatMap((name) => placesOf(text, name).map((at) => ({ at, name })));
  // The longer of two names at the same place.
  found.sort((a, b) => a.at - b.at || b.name.length - a.name.length);
  const cut: Stretch[] = [];
  let from = 0;
  for (const { at, name } of found) {
    if (at < from) continue;
    if (at > from) cut.push({ text: text.slice(from, at) });
    from = at + name.length + 1;
    cut.push({ text: text.slice(at, from), name });
  }
  if (from < text.length || cut.length === 0) cut.push({ text: text.slice(from) });
  return cut;
}

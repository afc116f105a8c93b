/**
 * A visitor's mark beside the database: in localStorage of the site, where a page finds it without opening anything, and
 * from where it comes back when the database was lost. First-party: no other site sees it. Without localStorage nothing
 * is kept here.
 */

import type { World } from "./world";

export interface Mark {
  mark: string;
  /** When the visitor has last logged in, in milliseconds since 1970. */
  at: number;
}

type Storage = World["storage"];

const keyOf = (name: string) => `${name}:mark`;

export function keptMark(storage: Storage, name: string): Mark | undefined {
  try {
    const [at, mark] = (storage?.getItem(keyOf(name)) ?? "").split(" ");
    return mark ? { mark, at: Number(at) || 0 } : undefined;
  } catch {
    return undefined;
  }
}

export function keepMark(storage: Storage, name: string, kept: Mark | undefined): void {
  try {
    if (kept) storage?.setItem(keyOf(name), `${kept.at} ${kept.mark}`);
    else storage?.removeItem(keyOf(name));
  } catch {
    // Full or forbidden: the database has it, or it lives as long as the tab.
  }
}

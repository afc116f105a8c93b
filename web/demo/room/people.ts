/** Everybody who is in the room, oneself first. */

import { element, face } from "./element";
import { words } from "./words";

export class People {
  private readonly count = element("h2", {});
  private readonly list = element("ul", {});
  readonly root = element("aside", { class: "people", tabindex: "0" }, this.count, this.list);
  private names: readonly string[] | undefined;

  constructor(private readonly me: string) {}

  /** Shows them, and returns who has come and gone since the last time. */
  show(names: readonly string[]): { entered: string[]; left: string[] } {
    const before = this.names;
    this.names = names;
    this.count.textContent = words.people(names.length);
    this.root.setAttribute("aria-label", words.people(names.length));
    const sorted = names.filter((name) => name !== this.me).sort((a, b) => a.localeCompare(b));
    if (names.includes(this.me)) sorted.unshift(this.me);
    this.list.replaceChildren(...sorted.map((name) => this.row(name)));
    if (!before) return { entered: [], left: [] };
    return { entered: names.filter((name) => !before.includes(name)), left: before.filter((name) => !names.includes(name)) };
  }

  private row(name: string): HTMLElement {
    const row = element("li", {}, face(name), element("bdi", { class: "name" }, name));
    if (name === this.me) row.append(element("span", { class: "you" }, words.you));
    return row;
  }
}

/** Messages as rows: what is drawn of each, and when a row must be drawn anew. Which messages there are is the talk's matter. */
import type { Message } from "@hongyan/sdk";
import { piecesOf } from "../links";
import type { Settings } from "../settings";
import type { Talk, Unsent } from "../talk";
import type { Words } from "../words";
import { element, icon, ICONS } from "./element";

/** Messages of one person in less time than this stand together. */
const TOGETHER_MS = 5 * 60_000;

export class Rows {
  readonly list: HTMLOListElement;
  private readonly drawn = new Map<string, { row: HTMLLIElement; as: string }>();
  /** Messages that were there the last time. */
  private count = 0;
  private readonly time: Intl.DateTimeFormat;
  private readonly day: Intl.DateTimeFormat;

  constructor(
    private readonly talk: Talk,
    private readonly settings: Settings,
    private readonly words: Words,
  ) {
    this.list = element("ol", { class: "rows" });
    // The browser's own variant of the language: British dates for the British.
    const tag = navigator.languages.find((known) => known.startsWith(settings.language)) ?? settings.language;
    this.time = new Intl.DateTimeFormat(tag, { hour: "numeric", minute: "2-digit" });
    this.day = new Intl.DateTimeFormat(tag, { day: "numeric", month: "long", year: "numeric" });
  }

  /** Brings the rows up to date; touches only those that look different. */
  draw(): void {
    const { talk, words, settings } = this;
    const rows: HTMLLIElement[] = [];
    const keep = (key: string, as: string, make: () => HTMLLIElement, comes = false) => {
      const known = this.drawn.get(key);
      const row = known?.as === as ? known.row : make();
      if (known && known.row !== row) known.row.replaceWith(row);
      // Only what comes moves into its place: a tick that changes must not make the message jump.
      if (!known && comes) row.classList.add("comes");
      this.drawn.set(key, { row, as });
      rows.push(row);
    };
    if (settings.greeting && !talk.hasOlder) keep("greeting", "", () => this.row(false, true, this.bubble(settings.greeting, false)));
    const now = new Date(Date.now());
    const written: (Message | Unsent)[] = [...talk.messages, ...talk.unsent];
    // Not those of a page that is opened, nor an own one that has only changed hands.
    const grows = this.count > 0 && written.length > this.count;
    this.count = written.length;
    let before: Message | Unsent | undefined;
    for (const message of written) {
      const comes = grows && message === written.at(-1);
      const day = this.dayOf(message.time, now);
      if (!before || this.dayOf(before.time, now) !== day) keep(`day ${new Date(message.time).toDateString()}`, day, () => element("li", { class: "day" }, element("span", {}, day)));
      const isOwn = !("own" in message) || message.own;
      const first = !before || (!("own" in before) || before.own) !== isOwn || message.time - before.time > TOGETHER_MS || this.dayOf(before.time, now) !== day;
      before = message;
      if ("own" in message) {
        const quoted = message.replyTo === undefined ? undefined : talk.message(message.replyTo);
        const state = talk.stateOf(message);
        const as = JSON.stringify([message.text, message.edited, message.recalled, message.reactions, state, first, quoted?.text, quoted?.recalled]);
        keep(talk.keyOf(message), as, () => this.message(message, first, quoted), comes);
      } else keep(`u${message.id}`, `${message.state} ${first}`, () => this.unsent(message, first), comes);
    }
    if (talk.typing) keep("typing", "", () => this.row(false, true, element("div", { class: "bubble dots", role: "img", "aria-label": words.typing(settings.title) }, element("i"), element("i"), element("i"))), true);
    const wanted = new Set(rows);
    for (const [key, { row }] of this.drawn) {
      if (wanted.has(row)) continue;
      row.remove();
      this.drawn.delete(key);
    }
    rows.forEach((row, at) => this.list.children[at] !== row && this.list.insertBefore(row, this.list.children[at] ?? null));
  }

  private row(own: boolean, first: boolean, ...content: Node[]): HTMLLIElement {
    const author = element("span", { class: "unseen" }, `${own ? this.words.you : this.settings.title}:`);
    return element("li", { class: `row ${own ? "own" : "theirs"}${first ? " first" : ""}` }, author, ...content);
  }

  private bubble(text: string, own: boolean): HTMLDivElement {
    const body = element("div", { class: `bubble ${own ? "own" : ""}`, dir: "auto" });
    for (const { text: piece, href } of piecesOf(text)) {
      body.append(href ? element("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, piece) : piece);
    }
    return body;
  }

  private message(message: Message, first: boolean, quoted: Message | undefined): HTMLLIElement {
    const { words } = this;
    const { own, recalled, text, type, edited, reactions } = message;
    const state = this.talk.stateOf(message);
    const body = recalled || type !== "text" ? element("div", { class: `bubble aside ${own ? "own" : ""}` }, recalled ? words.recalled : text || words.unknown) : this.bubble(text, own);
    if (quoted && !recalled) body.prepend(element("div", { class: "quote", dir: "auto" }, quoted.recalled ? words.recalled : quoted.text.slice(0, 200)));
    const meta = element("div", { class: "meta" }, element("time", { datetime: new Date(message.time).toISOString() }, this.time.format(message.time)));
    if (edited && !recalled) meta.prepend(`${words.edited} · `);
    if (own && state) meta.append(icon(ICONS[state], 15, words[state]));
    if (own && state) meta.classList.add(state);
    const row = this.row(own, first, body);
    if (reactions.length > 0 && !recalled) row.append(element("div", { class: "reactions" }, ...reactions.map(({ emoji }) => element("span", {}, emoji.slice(0, 16)))));
    row.append(state === "failed" ? this.failed(() => void this.talk.resend(message)) : meta);
    return row;
  }

  private unsent(unsent: Unsent, first: boolean): HTMLLIElement {
    const meta = element("div", { class: "meta" }, element("time", {}, this.time.format(unsent.time)), icon(ICONS.sending, 15, this.words.sending));
    return this.row(true, first, this.bubble(unsent.text, true), unsent.state === "failed" ? this.failed(() => void this.talk.retry(unsent)) : meta);
  }

  private failed(again: () => void): HTMLDivElement {
    const button = element("button", { type: "button" }, this.words.retry);
    button.addEventListener("click", again);
    return element("div", { class: "meta failed" }, icon(ICONS.failed, 15), ` ${this.words.failed} `, button);
  }

  private dayOf(time: number, now: Date): string {
    const day = new Date(time).toDateString();
    if (day === now.toDateString()) return this.words.today;
    const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
    return day === yesterday.toDateString() ? this.words.yesterday : this.day.format(time);
  }
}

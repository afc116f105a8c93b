/**
 * What was said, oldest first, with those who came and went in between. Stays at the end while the reader is there, and
 * where it is otherwise. Knows no room: it is given what to show, each message once and in order.
 */

import type { RoomMessage } from "@hongyan/sdk";
import { element, face, hueOf } from "./element";
import { words } from "./words";

/** Rows above it are taken off the page; they can be read again. */
const ROWS_MAX = 600;
/** As near to the end as this counts as there. */
const END_PX = 60;
/** Messages of one person closer to each other than this stand together. */
const TOGETHER_MS = 5 * 60_000;

const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function bubble(text: string, meta: string): HTMLElement {
  return element("div", { class: "bubble" }, element("span", { class: "text", dir: "auto" }, text), element("span", { class: "meta" }, meta));
}

export class Log {
  private readonly rows = element("ol", { class: "rows" });
  private readonly waiting = element("ol", { class: "rows waiting" });
  private readonly above = element("div", { class: "above" });
  private readonly scroller: HTMLElement;
  private readonly down = element("button", { type: "button", class: "down", hidden: true }, words.newest);
  readonly root: HTMLElement;
  /** What is older than this is not shown. */
  private from = 0;
  private hasMore = false;
  /** The newest message that is shown. */
  lastSeq = 0;

  constructor(private readonly earlier: (before: number) => Promise<void>) {
    const lines = element("div", { role: "log", "aria-label": words.log }, this.rows, this.waiting);
    this.scroller = element("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": words.log }, this.above, lines);
    this.root = element("section", { class: "log" }, this.scroller, this.down);
    this.scroller.addEventListener("scroll", () => this.isAtEnd() && (this.down.hidden = true));
    this.down.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.down.hidden && this.toEnd()).observe(this.scroller);
  }

  private isAtEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < END_PX;
  }

  private toEnd(): void {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.down.hidden = true;
  }

  /** Changes the end; who reads there goes on reading there, others are told that there is more. */
  private atEnd(isOwn: boolean, act: () => void): void {
    const wasAtEnd = this.isAtEnd();
    act();
    if (isOwn || wasAtEnd) this.toEnd();
    else this.down.hidden = false;
  }

  clear(): void {
    this.rows.replaceChildren();
    this.above.replaceChildren();
    this.lastSeq = 0;
  }

  append(messages: RoomMessage[]): void {
    this.atEnd(false, () => {
      this.rows.append(...messages.map((message) => this.row(message)));
      this.trim();
      this.join();
      this.showAbove();
    });
  }

  private trim(): void {
    if (this.rows.childElementCount <= ROWS_MAX || !this.isAtEnd()) return;
    while (this.rows.childElementCount > ROWS_MAX / 2) this.rows.firstElementChild!.remove();
    this.from = this.firstSeq();
    this.hasMore = true;
  }

  /** An older page, and whether there is more above it. */
  prepend(messages: RoomMessage[], from: number, more: boolean): void {
    const { scrollHeight, scrollTop } = this.scroller;
    const isFirst = !this.above.hasChildNodes();
    this.from = from;
    this.hasMore = more;
    this.rows.prepend(...messages.map((message) => this.row(message)));
    this.join();
    this.showAbove();
    if (isFirst) this.toEnd();
    else this.scroller.scrollTop = scrollTop + this.scroller.scrollHeight - scrollHeight;
  }

  note(text: string): void {
    this.atEnd(false, () => this.rows.append(element("li", { class: "note", dir: "auto" }, text)));
  }

  /** A text that the server does not have yet; its row is gone when it is told, or says why it was not. */
  wait(text: string): { done(): void; failed(why: string, again: () => void): void } {
    const row = element("li", { class: "message own" }, bubble(text, words.sending));
    this.atEnd(true, () => this.waiting.append(row));
    return {
      done: () => row.remove(),
      failed: (why, again) => {
        row.classList.add("failed");
        const button = element("button", { type: "button", class: "again" }, words.again);
        button.addEventListener("click", () => {
          row.remove();
          again();
        });
        row.querySelector(".meta")!.replaceChildren(words.failed(why), " ", button);
      },
    };
  }

  private row({ seq, from, own, text, time }: RoomMessage): HTMLElement {
    this.lastSeq = Math.max(this.lastSeq, seq);
    const name = element("bdi", { class: "from" }, from);
    name.style.setProperty("--hue", String(hueOf(from)));
    const said = bubble(text, clock.format(time));
    said.prepend(name);
    const row = element("li", { class: own ? "message own" : "message" }, face(from), said);
    Object.assign(row.dataset, { seq: String(seq), from, time: String(time) });
    return row;
  }

  private firstSeq(): number {
    return Number(this.rows.querySelector<HTMLElement>("[data-seq]")?.dataset["seq"] ?? 0);
  }

  /** Marks who goes on speaking. */
  private join(): void {
    for (const row of this.rows.children as HTMLCollectionOf<HTMLElement>) {
      const before = row.previousElementSibling as HTMLElement | null;
      const isSame = !!row.dataset["seq"] && before?.dataset["from"] === row.dataset["from"];
      row.classList.toggle("joined", isSame && Number(row.dataset["time"]) - Number(before?.dataset["time"]) < TOGETHER_MS);
    }
  }

  private showAbove(): void {
    if (!this.hasMore) return this.above.replaceChildren(element("p", {}, this.firstSeq() ? words.beginning : words.nothing));
    const button = element("button", { type: "button", class: "quiet" }, words.earlier);
    button.addEventListener("click", () => {
      button.disabled = true;
      void this.earlier(this.from).catch(() => (button.disabled = false));
    });
    this.above.replaceChildren(button);
  }
}

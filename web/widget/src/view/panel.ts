/** The open window of the talk: head, state of the connection, messages, composer. Keeps the place while messages come. */
import type { Settings } from "../settings";
import type { Talk } from "../talk";
import type { Words } from "../words";
import { Composer } from "./composer";
import { element, icon, ICONS } from "./element";
import { Rows } from "./rows";

/** So near to the end, somebody reads along. */
const NEAR_PX = 60;
/** So near to the top, earlier messages are loaded. */
const TOP_PX = 80;
/** A connection that comes back sooner was never spoken of. */
const PATIENCE_MS = 1_200;

export class Panel {
  readonly box: HTMLElement;
  readonly composer: Composer;
  private readonly rows: Rows;
  private readonly scroller: HTMLElement;
  private readonly state: HTMLElement;
  private readonly latest: HTMLButtonElement;
  private follows = true;
  /** The newest message that was drawn. */
  private last: string | undefined;
  private patience: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly talk: Talk,
    settings: Settings,
    private readonly words: Words,
    close: () => void,
  ) {
    this.rows = new Rows(talk, settings, words);
    this.scroller = element("section", { class: "scroller", tabindex: 0, "aria-label": words.messages }, this.rows.list);
    this.state = element("div", { class: "state", role: "status" });
    this.latest = element("button", { type: "button", class: "latest", hidden: true }, words.latest, icon(ICONS.down, 16));
    this.composer = new Composer(talk, words, () => this.toEnd());
    const shut = element("button", { type: "button", class: "shut", "aria-label": words.close }, icon(ICONS.close, 22));
    const title = element("h2", { id: "title", dir: "auto" }, settings.title);
    const head = element("header", {}, element("span", { class: "face", "aria-hidden": "true" }, [...settings.title][0] ?? ""), element("div", {}, title, element("p", {}, words.subtitle)), shut);
    this.box = element("div", { class: "panel", role: "dialog", "aria-modal": "true", "aria-labelledby": "title", id: "panel", hidden: true }, head, this.state, this.scroller, this.latest, this.composer.box);
    shut.addEventListener("click", close);
    this.latest.addEventListener("click", () => this.toEnd());
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.trap(event));
    for (const event of ["online", "offline"]) addEventListener(event, () => this.tell());
  }

  /** After the talk has changed. */
  draw(): void {
    if (this.box.hidden) return;
    const { scroller, talk } = this;
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    const last = talk.messages.at(-1);
    const before = this.last;
    this.last = last && talk.keyOf(last);
    this.rows.draw();
    if (this.follows) scroller.scrollTop = scroller.scrollHeight;
    else {
      // What came above must not move what is read.
      if (this.last === before) scroller.scrollTop = scroller.scrollHeight - fromEnd;
      else if (last && !last.own) this.latest.hidden = false;
    }
    this.tell();
  }

  shown(): void {
    this.follows = true;
    this.draw();
    this.composer.focus();
  }

  private toEnd(): void {
    this.follows = true;
    this.latest.hidden = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  private scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.follows = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.follows) this.latest.hidden = true;
    if (scrollTop < TOP_PX) void this.talk.older();
  }

  /** How the connection is, if there is anything to say. */
  private tell(): void {
    const text = this.trouble();
    const isSure = !text || text === this.words.ended || text === this.words.offline;
    if (isSure || this.state.textContent) {
      clearTimeout(this.patience);
      this.patience = undefined;
      this.state.textContent = text;
    } else {
      this.patience ??= setTimeout(() => {
        this.patience = undefined;
        this.state.textContent = this.trouble();
      }, PATIENCE_MS);
    }
  }

  private trouble(): string {
    const { talk, words } = this;
    if (talk.ended) return words.ended;
    if (!talk.begun) return "";
    if (navigator.onLine === false) return words.offline;
    return talk.link.state === "connecting" ? words.connecting : talk.link.state === "broken" ? words.broken : "";
  }

  /** The focus goes round inside; Escape, which leaves, is the frame's matter. */
  private trap(event: KeyboardEvent): void {
    if (event.key !== "Tab") return;
    const stops = [...this.box.querySelectorAll<HTMLElement>("button:not([disabled], [hidden]), textarea, a[href], [tabindex='0']")];
    const root = this.box.getRootNode() as ShadowRoot;
    const at = stops.indexOf(root.activeElement as HTMLElement);
    const end = event.shiftKey ? 0 : stops.length - 1;
    if (at !== end && at >= 0) return;
    event.preventDefault();
    stops.at(event.shiftKey ? -1 : 0)?.focus();
  }
}

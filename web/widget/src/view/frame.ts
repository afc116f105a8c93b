/**
 * The widget on the page: one element with a shadow tree, in it the round button, the panel, and a small preview of what
 * comes while the panel is closed. The page's styles do not reach in, ours do not reach out.
 */
import type { Message } from "@hongyan/sdk";
import { type Settings, textOn } from "../settings";
import type { Talk } from "../talk";
import css from "../widget.css?inline";
import { WORDS } from "../words";
import { element, icon, ICONS, set } from "./element";
import { Panel } from "./panel";

const BADGE_MAX = 99;
const PREVIEW_CHARACTERS_MAX = 140;

export class Frame {
  readonly host = document.createElement("hongyan-chat");
  private readonly button: HTMLButtonElement;
  private readonly badge: HTMLElement;
  private readonly preview: HTMLButtonElement;
  private readonly spoken: HTMLElement;
  private readonly panel: Panel;
  private readonly words;

  constructor(
    private readonly talk: Talk,
    private readonly settings: Settings,
  ) {
    this.words = WORDS[settings.language];
    this.panel = new Panel(talk, settings, this.words, () => this.close());
    this.badge = element("span", { class: "badge", "aria-hidden": "true", hidden: true });
    this.button = element("button", { type: "button", class: "launcher", "aria-haspopup": "dialog", "aria-expanded": "false" }, icon(ICONS.chat, 32), icon(ICONS.down, 28), this.badge);
    this.preview = element("button", { type: "button", class: "preview", tabindex: -1, "aria-hidden": "true", hidden: true });
    this.spoken = element("div", { class: "unseen", role: "status" });
    this.button.addEventListener("click", () => this.toggle());
    this.preview.addEventListener("click", () => this.open());
    talk.onChange = () => this.draw();
    talk.onNews = (message) => this.news(message);
    for (const event of ["focus", "blur"]) addEventListener(event, () => this.look());
    document.addEventListener("visibilitychange", () => this.look());
  }

  /** Puts it on the page. */
  mount(): void {
    const { host, settings, panel } = this;
    host.lang = settings.language === "zh" ? "zh-CN" : "en";
    host.className = `${settings.side} ${settings.theme}`;
    const root = host.attachShadow({ mode: "open" });
    // Not a style element: a page's policy may forbid those.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    if (settings.color) {
      host.style.setProperty("--accent", settings.color);
      host.style.setProperty("--on-accent", textOn(settings.color));
    }
    root.append(this.preview, panel.box, this.button, this.spoken);
    root.addEventListener("keydown", (event) => (event as KeyboardEvent).key === "Escape" && this.close());
    // A page's own shortcuts would take letters of what is written here for theirs: outside, no field is seen.
    for (const name of ["keydown", "keyup", "keypress"]) host.addEventListener(name, (event) => event.stopPropagation());
    document.body.append(host);
    this.draw();
  }

  get isOpen(): boolean {
    return !this.panel.box.hidden;
  }

  open(): void {
    if (this.isOpen) return;
    this.panel.box.hidden = false;
    this.preview.hidden = true;
    this.host.classList.add("open");
    this.panel.shown();
    this.look();
    this.draw();
  }

  close(): void {
    if (!this.isOpen) return;
    this.panel.box.hidden = true;
    this.host.classList.remove("open");
    this.button.focus();
    this.look();
    this.draw();
  }

  private toggle(): void {
    if (this.isOpen) this.close();
    else this.open();
  }

  private look(): void {
    this.talk.look(this.isOpen && document.visibilityState === "visible" && document.hasFocus());
  }

  private draw(): void {
    const { unread } = this.talk;
    const { title } = this.settings;
    const isOpen = this.isOpen;
    this.badge.hidden = isOpen || unread === 0;
    this.badge.textContent = unread > BADGE_MAX ? `${BADGE_MAX}+` : String(unread);
    if (unread === 0) this.preview.hidden = true;
    set(this.button, { "aria-expanded": String(isOpen), "aria-label": isOpen ? this.words.close : this.words.open(title, unread) });
    this.panel.draw();
  }

  /** Somebody has answered. */
  private news(message: Message): void {
    const text = message.type === "text" ? message.text : message.text || this.words.unknown;
    this.spoken.textContent = `${this.settings.title}: ${text}`;
    if (this.isOpen) return;
    this.preview.replaceChildren(element("b", {}, this.settings.title), element("span", { dir: "auto" }, text.slice(0, PREVIEW_CHARACTERS_MAX)));
    this.preview.hidden = false;
  }
}

/** Where the visitor writes: grows with the text, sends on Enter, begins a line on a phone's. */
import type { Talk } from "../talk";
import type { Words } from "../words";
import { element, icon, ICONS, set } from "./element";

/** Of a message (PROTOCOL.md §14). */
const TEXT_BYTES_MAX = 16_384;
const HEIGHT_PX_MAX = 140;

const touch = (): boolean => matchMedia("(pointer: coarse)").matches;

export class Composer {
  readonly box: HTMLElement;
  readonly field: HTMLTextAreaElement;
  private readonly button: HTMLButtonElement;
  private readonly excess: HTMLElement;

  constructor(
    private readonly talk: Talk,
    private readonly words: Words,
    /** Something was said. */
    private readonly said: () => void,
  ) {
    this.field = element("textarea", { rows: 1, placeholder: words.compose, "aria-label": words.compose, dir: "auto" });
    this.button = element("button", { type: "button", class: "send", "aria-label": words.send, disabled: true }, icon(ICONS.send, 20));
    this.excess = element("span", { class: "excess", role: "alert" });
    this.box = element("div", { class: "composer" }, this.excess, this.field, this.button);
    this.field.addEventListener("input", () => this.wrote());
    this.field.addEventListener("blur", () => talk.tellTyping(true));
    this.field.addEventListener("keydown", (event) => {
      // While an input method composes, Enter belongs to it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || touch()) return;
      event.preventDefault();
      this.submit();
    });
    this.button.addEventListener("click", () => this.submit());
  }

  focus(): void {
    // A phone's keyboard would hide what there is to read.
    if (!touch()) this.field.focus();
  }

  private get over(): number {
    return new TextEncoder().encode(this.field.value).length - TEXT_BYTES_MAX;
  }

  private wrote(): void {
    const isEmpty = this.field.value.trim() === "";
    this.talk.tellTyping(isEmpty);
    this.excess.textContent = this.over > 0 ? this.words.tooLong(this.over) : "";
    set(this.button, { disabled: isEmpty || this.over > 0 });
    this.grow();
  }

  private grow(): void {
    const { style } = this.field;
    style.height = "auto";
    style.height = `${Math.min(this.field.scrollHeight, HEIGHT_PX_MAX)}px`;
  }

  private submit(): void {
    const text = this.field.value.trim();
    if (!text || this.over > 0) return;
    this.field.value = "";
    this.wrote();
    this.field.focus();
    void this.talk.say(text);
    this.said();
  }
}

/** Where one writes, and how much of what is allowed is used. Characters are counted as the server does: code points. */

import { element } from "./element";
import { words } from "./words";

export class Composer {
  private readonly field = element("textarea", { rows: "1", "aria-label": words.message, placeholder: words.message, dir: "auto", enterkeyhint: "send" });
  private readonly counter = element("output", { class: "counter" });
  private readonly button = element("button", { type: "submit", class: "main" }, words.say);
  readonly root = element("form", { class: "composer" }, this.field, this.counter, this.button);
  private most = 0;

  constructor(say: (text: string) => void) {
    const send = () => {
      const text = this.field.value.trim();
      if (!text || this.isTooLong) return;
      this.field.value = "";
      this.count();
      say(text);
    };
    this.root.addEventListener("submit", (event) => {
      event.preventDefault();
      send();
      this.field.focus();
    });
    this.field.addEventListener("keydown", (event) => {
      // Enter also chooses a word in an input method.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      send();
    });
    this.field.addEventListener("input", () => this.count());
    this.count();
    // A phone that is turned breaks the lines elsewhere.
    let width = 0;
    new ResizeObserver(() => {
      if (this.root.clientWidth !== width) this.fit();
      width = this.root.clientWidth;
    }).observe(this.root);
  }

  focus(): void {
    this.field.focus();
  }

  allow(most: number): void {
    this.most = most;
    this.count();
  }

  private get used(): number {
    return [...this.field.value.trim()].length;
  }

  private get isTooLong(): boolean {
    return this.most > 0 && this.used > this.most;
  }

  private count(): void {
    const { used, most } = this;
    this.counter.textContent = most ? `${used} / ${most}` : "";
    this.counter.setAttribute("aria-label", words.counter(used, most));
    this.counter.classList.toggle("over", this.isTooLong);
    this.field.setAttribute("aria-invalid", String(this.isTooLong));
    this.button.disabled = !used || this.isTooLong;
    this.fit();
  }

  /** As high as its text. */
  private fit(): void {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}

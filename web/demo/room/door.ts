/** The door: where a name is chosen. */

import type { Refusal, StopReason } from "@hongyan/sdk";
import { element } from "./element";
import { speakOther, words } from "./words";

const NAME_CHARACTERS_MAX = 16;

/** Why somebody is not in, in their words. */
export function reasonOf(error: unknown, room: string, name: string): string {
  if (error === "offline") return words.away;
  const { code, text, kind } = (error ?? {}) as Partial<Refusal> & { kind?: StopReason["kind"] };
  if (code === "conflict") return words.taken(name);
  if (code === "invalid_argument") return words.badName;
  if (code === "quota_exceeded") return words.full;
  if (code === "not_found") return words.noRoom(room);
  return text ? words.refused(text) : kind ? words.ended : String(error);
}

export class Door {
  readonly root: HTMLElement;
  private readonly field = element("input", { name: "name", autocomplete: "nickname", autocapitalize: "off", spellcheck: "false", required: true, "aria-describedby": "rule fault" });
  private readonly button = element("button", { type: "submit", class: "main" }, words.enter);
  private readonly fault = element("p", { id: "fault", class: "fault", role: "alert" });

  constructor(
    private readonly room: string,
    name: string,
    private readonly enter: (name: string) => Promise<void>,
  ) {
    this.field.value = name;
    const form = element(
      "form",
      { class: "card" },
      element("div", { class: "geese", "aria-hidden": "true" }),
      element("h1", {}, words.title),
      element("p", { class: "lead" }, words.lead),
      element("label", {}, element("span", {}, words.name), this.field),
      element("p", { id: "rule", class: "rule" }, words.nameRule),
      this.fault,
      this.button,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.knock();
    });
    // By characters as the server counts them, which `maxlength` does not.
    this.field.addEventListener("input", () => {
      const letters = [...this.field.value];
      if (letters.length > NAME_CHARACTERS_MAX) this.field.value = letters.slice(0, NAME_CHARACTERS_MAX).join("");
    });
    const language = element("button", { type: "button", class: "quiet language" }, words.other);
    language.addEventListener("click", speakOther);
    this.root = element("main", { class: "door" }, form, language);
  }

  focus(): void {
    this.field.focus();
  }

  say(fault: string): void {
    this.fault.textContent = fault;
  }

  /** Goes in under the name in the field. */
  async knock(): Promise<void> {
    const name = this.field.value.trim();
    if (!name) return this.say(words.nameRule);
    this.say("");
    this.busy(true);
    try {
      await this.enter(name);
    } catch (error) {
      this.busy(false);
      this.say(reasonOf(error, this.room, name));
      this.field.select();
    }
  }

  private busy(on: boolean): void {
    this.button.disabled = on;
    this.button.textContent = on ? words.entering : words.enter;
  }
}

/** The room as it is seen from inside: its people, what was said, a line that tells how it is connected. */

import type { Link, Refusal, Room, RoomState } from "@hongyan/sdk";
import { Composer } from "./composer";
import { element } from "./element";
import { Log } from "./log";
import { People } from "./people";
import { choose, type Transport } from "./transport";
import { speakOther, words } from "./words";

const PAGE_MESSAGES = 50;

interface Unsaid {
  text: string;
  done(): void;
}

export class Screen {
  private readonly log = new Log((before) => this.read(before));
  private readonly people: People;
  private readonly composer = new Composer((text) => void this.say(text));
  private readonly line = element("p", { class: "line", role: "status" });
  readonly root: HTMLElement;
  /** Own texts that were not told yet, in the order of writing. */
  private readonly unsaid = new Set<Unsaid>();

  constructor(
    private readonly room: Room,
    transport: Transport,
    leave: () => void,
  ) {
    this.people = new People(room.name);
    const leaving = element("button", { type: "button", class: "quiet" }, words.leave);
    leaving.addEventListener("click", leave);
    const language = element("button", { type: "button", class: "quiet" }, words.other);
    language.addEventListener("click", speakOther);
    const about = element("div", { class: "about" }, element("h1", {}, "# ", element("bdi", {}, room.room)), this.line);
    const head = element("header", {}, about, choose(transport), language, leaving);
    this.root = element("main", { class: "room" }, head, this.people.root, this.log.root, this.composer.root);
    room.on("names", (names) => this.show(names));
    room.on("entries", (entries) => {
      this.log.append(entries);
      for (const { own, text } of entries) if (own) this.settle([...this.unsaid].find((one) => one.text === text));
    });
    room.on("reset", () => {
      this.log.clear();
      void this.read();
    });
  }

  /** After it was entered. */
  async begin(): Promise<void> {
    this.composer.allow(this.room.charactersMax);
    this.show(this.room.names);
    this.composer.focus();
    await this.read();
  }

  connected(link: Link, { state }: RoomState): void {
    const isIn = link.state === "live" && state === "in";
    this.root.classList.toggle("broken", !isIn);
    const over = link.transport === "poll" ? words.overPoll : words.overWebsocket;
    this.line.textContent = isIn ? over : link.state === "broken" ? words.broken : words.connecting;
  }

  private show(names: readonly string[]): void {
    const { entered, left } = this.people.show(names);
    for (const name of entered) this.log.note(words.entered(name));
    for (const name of left) this.log.note(words.left(name));
  }

  private async read(before?: number): Promise<void> {
    const page = await this.room.history({ limit: PAGE_MESSAGES, ...(before === undefined ? {} : { before }) });
    this.log.prepend(page.messages, page.from, page.from > page.low);
  }

  private async say(text: string): Promise<void> {
    const row = this.log.wait(text);
    const unsaid = { text, done: row.done };
    this.unsaid.add(unsaid);
    try {
      const { seq } = await this.room.say(text);
      // A log that was read anew has it among the others.
      if (seq <= this.log.lastSeq) this.settle(unsaid);
    } catch (error) {
      this.unsaid.delete(unsaid);
      row.failed((error as Partial<Refusal>).text ?? words.away, () => void this.say(text));
    }
  }

  /** It is told, perhaps before it is answered. */
  private settle(unsaid: Unsaid | undefined): void {
    if (unsaid && this.unsaid.delete(unsaid)) unsaid.done();
  }
}

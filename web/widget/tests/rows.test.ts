/** Messages as rows: what is drawn, that nothing of it is markup, and that rows which look the same are left alone. */
import type { Message } from "@hongyan/sdk";
import { expect, test } from "vitest";
import { CORPUS } from "../../tests/stage/corpus";
import { settingsOf } from "../src/settings";
import { Talk } from "../src/talk";
import { Rows } from "../src/view/rows";
import { WORDS } from "../src/words";

const NOON = new Date(2026, 4, 5, 12).getTime();

function message(seq: number, more: Partial<Message> = {}): Message {
  return { user: "shop", seq, own: false, type: "text", text: `text ${seq}`, body: new Uint8Array(), time: NOON + seq * 1_000, edited: false, recalled: false, reactions: [], ...more };
}

class Script extends Talk {
  written: Message[] = [];

  constructor() {
    super("shop", { client: () => { throw new Error("nobody speaks here"); }, isKnown: () => false, place: () => ({ page: "", referrer: "" }), clock: Date.now });
  }

  override get messages(): Message[] {
    return this.written;
  }

  override message(seq: number): Message | undefined {
    return this.written.find((message) => message.seq === seq);
  }
}

function rows(...written: Message[]): { talk: Script; rows: Rows } {
  const settings = settingsOf({ src: "https://chat.example/widget.js", dataset: { merchant: "shop", title: "Shop" } }, "en", []);
  const talk = new Script();
  talk.written = written;
  const drawn = new Rows(talk, settings, WORDS.en);
  drawn.draw();
  return { talk, rows: drawn };
}

const textOf = (drawn: Rows) => [...drawn.list.querySelectorAll(".bubble")].map((bubble) => bubble.textContent);

test("a greeting, the day, and messages with who wrote them", () => {
  const { rows: drawn } = rows(message(1, { own: true, state: "read" }), message(2));
  expect(textOf(drawn)).toEqual([WORDS.en.greeting, "text 1", "text 2"]);
  expect(drawn.list.querySelectorAll(".day")).toHaveLength(1);
  expect(drawn.list.querySelector(".own .icon")?.getAttribute("aria-label")).toBe("Read");
  expect([...drawn.list.querySelectorAll(".row .unseen")].map((author) => author.textContent)).toEqual(["Shop:", "You:", "Shop:"]);
});

test("the corpus stays text, as message, quote and reaction", () => {
  const written = CORPUS.map((text, at) => message(at + 1, { text, own: at % 2 === 0, state: "sent", reactions: [{ emoji: text, count: 1, users: ["shop"] }], ...(at ? { replyTo: at } : {}) }));
  const { rows: drawn } = rows(...written);
  const bodies = [...drawn.list.querySelectorAll(".row:not(:first-child) .bubble")];
  expect(bodies.map((body) => [...body.childNodes].filter((node) => !(node instanceof HTMLElement && node.className === "quote")).map((node) => node.textContent).join(""))).toEqual([...CORPUS]);
  expect([...new Set([...drawn.list.querySelectorAll("*")].map(({ localName }) => localName))].sort()).toEqual(["a", "div", "li", "path", "span", "svg", "time"]);
  for (const link of drawn.list.querySelectorAll("a")) {
    expect(link.protocol).toMatch(/^https?:$/);
    expect([link.username, link.rel, link.target]).toEqual(["", "noopener noreferrer nofollow", "_blank"]);
  }
  for (const one of drawn.list.querySelectorAll("*")) expect(one.getAttributeNames().filter((name) => name.startsWith("on") || name === "style")).toEqual([]);
});

test("a row is built anew only if it looks different", () => {
  const { talk, rows: drawn } = rows(message(1), message(2));
  const [, , first, second] = [...drawn.list.children];
  talk.written = [message(1), message(2, { text: "changed", edited: true }), message(3)];
  drawn.draw();
  expect(drawn.list.children[2]).toBe(first);
  expect(drawn.list.children[3]).not.toBe(second);
  expect(textOf(drawn).slice(1)).toEqual(["text 1", "changed", "text 3"]);
  talk.written = [message(1)];
  drawn.draw();
  expect(textOf(drawn).slice(1)).toEqual(["text 1"]);
});

test("only a message that comes moves into its place: not one that changes, nor those of a page", () => {
  const { talk, rows: drawn } = rows(message(1, { own: true, state: "sent" }), message(2));
  const moving = () => [...drawn.list.querySelectorAll(".comes .bubble")].map((bubble) => bubble.textContent);
  expect(moving()).toEqual([]);
  talk.written = [message(1, { own: true, state: "read" }), message(2, { text: "changed" })];
  drawn.draw();
  expect(moving()).toEqual([]);
  talk.written = [...talk.written, message(3)];
  drawn.draw();
  expect(moving()).toEqual(["text 3"]);
});

test("earlier messages go above, the typing dots below, and dots go when they stop", () => {
  const { talk, rows: drawn } = rows(message(5));
  talk.written = [message(4), message(5)];
  talk.typing = true;
  drawn.draw();
  expect(textOf(drawn).slice(1, 3)).toEqual(["text 4", "text 5"]);
  expect(drawn.list.lastElementChild?.querySelector("[role=img]")?.getAttribute("aria-label")).toBe("Shop is typing");
  talk.typing = false;
  drawn.draw();
  expect(drawn.list.querySelector(".dots")).toBeNull();
});

test("recalled messages and those of a kind that cannot be shown say so", () => {
  const { rows: drawn } = rows(message(1, { recalled: true, text: "" }), message(2, { type: "image", text: "" }), message(3, { type: "file", text: "price list.pdf" }));
  expect(textOf(drawn).slice(1)).toEqual([WORDS.en.recalled, WORDS.en.unknown, "price list.pdf"]);
});

/** What a site's script element says, and what may be clicked: pure values. */
import { expect, test } from "vitest";
import { piecesOf } from "../src/links";
import { settingsOf, textOn } from "../src/settings";
import { languageOf, WORDS } from "../src/words";

const SRC = "https://chat.example/widget.js";
const of = (dataset: Record<string, string>, page?: string, browser: string[] = []) => settingsOf({ src: SRC, dataset }, page, browser);

test("a site names the merchant; everything else has a default", () => {
  expect(of({ merchant: "shop" })).toEqual({
    server: "https://chat.example",
    app: "default",
    merchant: "shop",
    title: "shop",
    greeting: WORDS.en.greeting,
    language: "en",
    theme: "system",
    side: "right",
    color: undefined,
  });
  expect(() => of({})).toThrow("data-merchant");
});

test("what a site says is taken, and nonsense is not", () => {
  expect(of({ merchant: "shop", greeting: "", theme: "dark", side: "left", color: "#FFCC00", title: "A", app: "tea" })).toMatchObject({ greeting: "", theme: "dark", side: "left", color: "#FFCC00", title: "A", app: "tea" });
  expect(of({ merchant: "shop", theme: "loud", side: "up", color: "red;background:url(x)" })).toMatchObject({ theme: "system", side: "right", color: undefined });
});

test("the site's language comes before the browser's, and its own word before both", () => {
  expect(of({ merchant: "s" }, "zh-CN", ["en"]).language).toBe("zh");
  expect(of({ merchant: "s" }, "", ["fr", "zh-TW"]).language).toBe("zh");
  expect(of({ merchant: "s", language: "en" }, "zh").language).toBe("en");
  expect(languageOf("fr", undefined)).toBe("en");
});

test("both languages have the same words", () => {
  expect(Object.keys(WORDS.zh)).toEqual(Object.keys(WORDS.en));
});

test("text on any colour can be read", () => {
  expect([textOn("#13697a"), textOn("#ffcc00"), textOn("#000000"), textOn("#ffffff")]).toEqual(["#ffffff", "#000000", "#ffffff", "#000000"]);
});

test("only plain addresses can be clicked", () => {
  expect(piecesOf("See https://shop.example/a?b=1, or not.")).toEqual([
    { text: "See " },
    { text: "https://shop.example/a?b=1", href: "https://shop.example/a?b=1" },
    { text: ", or not." },
  ]);
  for (const text of ["javascript:alert(1)", "https://bank.example@evil.example/", "data:text/html,x", "http://", "https://a\u202eb.example/"]) {
    expect(piecesOf(text).filter(({ href }) => href), text).toEqual([]);
  }
  const text = `<a href="https://x.example/">x</a> https://y.example/<script>`;
  expect(piecesOf(text).map((piece) => piece.text).join("")).toBe(text);
  expect(piecesOf(text).flatMap(({ href }) => href ?? [])).toEqual(["https://x.example/", "https://y.example/"]);
});

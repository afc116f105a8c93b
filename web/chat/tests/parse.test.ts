import { describe, expect, test } from "vitest";
import { direction, onlyEmoji, parse } from "../src/text/parse.js";

const links = (text: string) => parse(text).flatMap((piece) => (piece.kind === "link" ? [piece.href] : []));
const whole = (text: string) => parse(text).map((piece) => piece.text).join("");

describe("links", () => {
  test.each([
    ["see https://example.org/a?b=1#c.", ["https://example.org/a?b=1#c"]],
    ["(https://en.wikipedia.org/wiki/Goose_(bird))", ["https://en.wikipedia.org/wiki/Goose_(bird)"]],
    ["www.example.org, and http://example.com!", ["https://www.example.org/", "http://example.com/"]],
    ["请看https://example.org/路径。谢谢", ["https://example.org/%E8%B7%AF%E5%BE%84"]],
    ["**https://example.org/**", ["https://example.org/"]],
  ])("%s", (text, found) => expect(links(text)).toEqual(found));

  test.each([
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//https",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "ftp://example.org",
    "https://",
    "http://[",
    "https://bank.example@evil.example/",
    "https://user:secret@example.org",
  ])("%s is no link", (text) => expect(links(text)).toEqual([]));

  test("end before a direction mark, so that they show what they open", () => {
    expect(links("https://example.org/\u202egpj.exe")).toEqual(["https://example.org/"]);
  });

  test("take no quotes or brackets of HTML", () => {
    expect(links('https://example.org/"onmouseover="alert(1)')).toEqual(["https://example.org/"]);
    expect(links("https://example.org/<svg/onload=alert(1)>")).toEqual(["https://example.org/"]);
  });
});

describe("code", () => {
  test("in a line and in blocks; nothing in it is a link", () => {
    expect(parse("a `https://x.example` b\n```js\nlet a = `1`;\n```\nc")).toEqual([
      { kind: "text", text: "a " },
      { kind: "code", text: "https://x.example" },
      { kind: "text", text: " b" },
      { kind: "block", text: "let a = `1`;" },
      { kind: "text", text: "c" },
    ]);
  });

  test.each(["```", "``````", "` `", "`open", "```never closed\nx", "a ` b"])("%j stays as it is written", (text) => expect(whole(text)).toBe(text));
});

test("a text that is nothing special stays whole", () => {
  const text = "line one\n\n  line three & <b>not bold</b> \\o/";
  expect(parse(text)).toEqual([{ kind: "text", text }]);
});

test("stacked accents are cut, ordinary ones stay", () => {
  expect(whole(`Z${"\u0335".repeat(60)}`)).toBe(`Z${"\u0335".repeat(4)}`);
  expect(whole("ế ที่ שָׁ")).toBe("ế ที่ שָׁ");
});

test("the largest message is read in linear time, whatever it repeats", () => {
  const begin = performance.now();
  for (const unit of ["`", "```", "```\n", "https://a.", "(", "www.", "a)", "\u0301", "https://a.example/)))"]) parse(unit.repeat(Math.floor(16_384 / unit.length)));
  expect(performance.now() - begin).toBeLessThan(2_000);
});

describe("a few emoji alone are large", () => {
  test.each([["😀", 1], ["👍🏽", 1], ["👨‍👩‍👧", 1], ["🇨🇳", 1], ["❤️ 🔥", 2], ["1️⃣", 1], ["🏴󠁧󠁢󠁳󠁣󠁴󠁿", 1]])("%s", (text, count) => expect(onlyEmoji(text)).toBe(count));
  test.each(["1", "42", "#", "😀 ok", "ok", "", "   ", "😀".repeat(6), "你好", "…"])("%j is not", (text) => expect(onlyEmoji(text)).toBe(0));
});

test("the direction is that of the first letter", () => {
  expect(direction("12: نعم yes")).toBe("rtl");
  expect(direction("שלום")).toBe("rtl");
  expect(direction("yes نعم")).toBe("ltr");
  expect(direction("42")).toBe("ltr");
});

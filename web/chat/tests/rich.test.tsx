import { render } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { Rich } from "../src/text/rich.js";

const ATTACKS = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg onload=alert(1)>",
  "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
  "<iframe srcdoc='<script>alert(1)</script>'>",
  "<a href=\"javascript:alert(1)\">click</a>",
  "[click](javascript:alert(1))",
  "javascript:alert(1)",
  "java\nscript:alert(1)",
  "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
  "https://example.org/\" onmouseover=\"alert(1)",
  "https://example.org/'><script>alert(1)</script>",
  "`<img src=x onerror=alert(1)>`",
  "```html\n<script>alert(1)</script>\n```",
  "<style>*{display:none}</style>",
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  "{{constructor.constructor('alert(1)')()}}",
  "${alert(1)}",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  "\u202e<script>\u202c",
  "\u0000<b>\u0000",
  "<base href='https://evil.example'>",
  "<form action='https://evil.example'><button>x",
  "<link rel=stylesheet href='https://evil.example'>",
];

const ALLOWED = new Set(["SPAN", "A", "CODE", "PRE"]);
const ATTRIBUTES = new Set(["href", "target", "rel", "dir", "class", "tabindex"]);

describe("a hostile text stays text", () => {
  test.each(ATTACKS)("%j", (text) => {
    const { container } = render(<Rich text={text} />);
    for (const element of container.querySelectorAll("*")) {
      expect(ALLOWED).toContain(element.tagName);
      for (const { name } of element.attributes) expect(ATTRIBUTES).toContain(name);
      const href = element.getAttribute("href");
      if (href !== null) expect(href).toMatch(/^https?:\/\//);
    }
    const letters = (shown: string | null) => (shown ?? "").replace(/[`\s]/g, "").replace(/^html/, "");
    expect(letters(container.textContent)).toBe(letters(text.replace("```html", "")));
  });
});

test("links open apart and give nothing away", () => {
  const { container } = render(<Rich text="https://example.org/a" />);
  const link = container.querySelector("a");
  expect(link?.getAttribute("rel")).toBe("noopener noreferrer");
  expect(link?.getAttribute("target")).toBe("_blank");
  expect(link?.textContent).toBe("https://example.org/a");
});

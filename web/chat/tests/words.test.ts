import { describe, expect, test } from "vitest";
import { en } from "../src/words/en.js";
import { languageOf } from "../src/words/speech.js";
import { zh } from "../src/words/zh.js";

type Tree = { [key: string]: unknown };

function* leaves(tree: Tree, path = ""): Generator<[path: string, value: unknown]> {
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === "object" && value !== null) yield* leaves(value as Tree, `${path}${key}.`);
    else yield [path + key, value];
  }
}

const spoken = (value: unknown): string => (typeof value === "function" ? String((value as (...given: string[]) => string)("7", "8")) : String(value));

test("both languages say the same things", () => {
  expect([...leaves(zh)].map(([path]) => path)).toEqual([...leaves(en)].map(([path]) => path));
});

describe("every phrase", () => {
  const chinese = new Map(leaves(zh));
  test.each([...leaves(en)])("%s", (path, value) => {
    const other = chinese.get(path);
    expect(typeof other).toBe(typeof value);
    expect(spoken(value).trim()).not.toBe("");
    expect(spoken(value)).not.toMatch(/[\u4e00-\u9fff]/);
    expect(spoken(other)).toMatch(/[\u4e00-\u9fff]/);
    // What is put in must come out in both, the same number of times.
    expect((spoken(other).match(/[78]/g) ?? []).length).toBe((spoken(value).match(/[78]/g) ?? []).length);
  });
});

test("the language is the first of the browser's that we speak", () => {
  expect(languageOf("system", ["fr-FR", "zh-TW", "en"])).toBe("zh");
  expect(languageOf("system", ["fr-FR", "en-GB", "zh"])).toBe("en");
  expect(languageOf("system", ["fr"])).toBe("en");
  expect(languageOf("zh", ["en"])).toBe("zh");
});

import { describe, expect, test } from "vitest";
import { beginning, candidates, complete, mentionsIn, stretches } from "../src/model/mentions.js";

const member = (user: string, nickname = "") => ({ user, nickname });
const PEOPLE = [member("bob"), member("bobby"), member("chen.yu", "陈老师"), member("ann_b"), member("me")];

describe("a name is being written", () => {
  test.each<[string, string | undefined]>([
    ["@", ""],
    ["hello @bo", "bo"],
    ["你好@陈", "陈"],
    ["(@b", "b"],
    ["mail me at ann@exam", undefined],
    ["@bob and", undefined],
    ["no name here", undefined],
  ])("%j", (text, typed) => expect(beginning(text, text.length)?.typed).toBe(typed));

  test("where the caret stands, not where the text ends", () => {
    expect(beginning("@bo and more", 3)).toEqual({ at: 0, typed: "bo" });
    expect(beginning("@bo and more", 7)).toBeUndefined();
  });
});

test("who may be meant: names that begin so, then those that contain it; never oneself", () => {
  const users = (typed: string) => candidates(PEOPLE, typed, "me").map(({ user }) => user);
  expect(users("b")).toEqual(["bob", "bobby", "ann_b"]);
  expect(users("BOB")).toEqual(["bob", "bobby"]);
  expect(users("陈")).toEqual(["chen.yu"]);
  expect(users("yu")).toEqual(["chen.yu"]);
  expect(users("")).toHaveLength(4);
  expect(users("nobody")).toEqual([]);
});

test("the name is put where it was being written, and one space behind it", () => {
  expect(complete("hello @bo and more", 9, 6, "bobby")).toEqual({ text: "hello @bobby and more", caret: 13 });
  expect(complete("@", 1, 0, "陈老师")).toEqual({ text: "@陈老师 ", caret: 5 });
});

describe("a text mentions", () => {
  test.each<[string, string[]]>([
    ["@bob, are you there?", ["bob"]],
    ["@bobby", ["bobby"]],
    ["ask @bob.", ["bob"]],
    ["ask @bob.smith", []],
    ["@bob-2", []],
    ["@陈老师您好", ["chen.yu"]],
    ["@chen.yu and @ann_b", ["chen.yu", "ann_b"]],
    ["bob", []],
    ["@Bob", []],
  ])("%j", (text, users) => expect(mentionsIn(text, PEOPLE)).toEqual(users));

  test("at most fifty", () => {
    const many = Array.from({ length: 60 }, (_, at) => member(`u${at}`));
    expect(mentionsIn(many.map(({ user }) => `@${user}`).join(" "), many)).toHaveLength(50);
  });
});

test("a text is cut at the names that are mentioned, the longest first, and nothing of it is lost", () => {
  const text = "@bobby and @bob: see @ann_b";
  const cut = stretches(text, ["bob", "bobby"]);
  expect(cut).toEqual([{ text: "@bobby", name: "bobby" }, { text: " and " }, { text: "@bob", name: "bob" }, { text: ": see @ann_b" }]);
  expect(cut.map((one) => one.text).join("")).toBe(text);
  expect(stretches("", ["bob"])).toEqual([{ text: "" }]);
});

/** What the chat makes of visitors: names, addresses, the claim at sign-in. */
import type { Client } from "@hongyan/sdk";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { claimOwnVisitor } from "../src/model/claim.js";
import { called, idOf, partsOf } from "../src/model/names.js";
import { pathOf, shortOf } from "../src/model/place.js";
import { en } from "../src/words/en.js";
import { zh } from "../src/words/zh.js";

const KEY = `hongyan:${location.origin}:default:visitor:mark`;

beforeEach(() => localStorage.setItem(KEY, "0 v1.mark"));
afterEach(() => localStorage.clear());

const claiming = (claimVisitor: (mark: string) => Promise<string>) => ({ claimVisitor: vi.fn(claimVisitor) }) as unknown as Client;

test("visitors have letters that tell them apart; everybody else their name", () => {
  expect(called("~Qx7fAAAA", en)).toBe("Visitor Qx7f");
  expect(called("~Qx7fAAAA", zh)).toBe("访客 Qx7f");
  expect(called("alice", en)).toBe("alice");
  expect([1, 2, 3, 4, 11, 12, 21, 102].map(en.visit)).toEqual(["1st visit", "2nd visit", "3rd visit", "4th visit", "11th visit", "12th visit", "21st visit", "102nd visit"]);
});

test("a conversation that was held as a visitor has an id of its own", () => {
  for (const known of [{ user: "shop" }, { user: "~Qx7f" }, { user: "shop", asVisitor: "~Qx7f" }]) expect(partsOf(idOf(known))).toEqual(known);
});

test("pages are shown short, and strange ones as they are", () => {
  expect(pathOf("https://shop.example/tea/%E8%8C%B6")).toBe("/tea/茶");
  expect(shortOf("https://shop.example/tea")).toBe("shop.example/tea");
  expect(shortOf("https://shop.example/")).toBe("shop.example");
  expect(shortOf("https://search.example/results", true)).toBe("search.example");
  for (const strange of ["<img src=x>", "javascript", "https://shop.example/%E8", ""]) expect([pathOf(strange), shortOf(strange)]).toEqual([strange, strange]);
});

test("at sign-in the mark of this site is claimed once", async () => {
  const client = claiming(async () => "~v1");
  await claimOwnVisitor(client, "default");
  await claimOwnVisitor(client, "default");
  expect(client.claimVisitor).toHaveBeenCalledExactlyOnceWith("v1.mark");
});

test("a mark that is refused is thrown away; one that did not get through is kept", async () => {
  await claimOwnVisitor(claiming(() => Promise.reject("offline")), "default");
  expect(localStorage.getItem(KEY)).not.toBeNull();
  await claimOwnVisitor(claiming(() => Promise.reject({ code: "conflict", text: "", retryable: false, retryAfterMs: 0 })), "default");
  expect(localStorage.getItem(KEY)).toBeNull();
});

/** The hash functions against another implementation of them, at every length around the edges of their blocks. */
import { hmac as otherHmac } from "@noble/hashes/hmac.js";
import { sha256 as otherSha256 } from "@noble/hashes/sha2.js";
import { expect, test } from "vitest";
import { hmac, sha256 } from "../src/core/hmac";

const bytes = (length: number) => Uint8Array.from({ length }, (_, at) => (at * 167 + length) % 256);

test("SHA-256 is that of the others, whatever the length", () => {
  for (let length = 0; length < 300; length++) expect(sha256(bytes(length))).toEqual(otherSha256(bytes(length)));
  expect(sha256(bytes(100_000))).toEqual(otherSha256(bytes(100_000)));
});

test("HMAC is that of the others, with short and long keys", () => {
  for (let length = 0; length < 200; length++) expect(hmac(bytes(length), bytes(300 - length))).toEqual(otherHmac(otherSha256, bytes(length), bytes(300 - length)));
});

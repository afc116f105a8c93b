/** A message in one line: in the list of conversations, in quotes, in notifications. */
import type { Message } from "@hongyan/sdk";
import type { Words } from "../words/en.js";
import { called } from "./names.js";

const PREVIEW_CHARACTERS_MAX = 160;

export function preview(message: Message, words: Words): string {
  if (message.recalled) return message.own ? words.recalledByYou : words.recalledBy(called(message.user, words));
  if (message.type !== "text") return words.kinds[message.type];
  const flat = message.text.slice(0, PREVIEW_CHARACTERS_MAX * 2).replace(/```/g, " ").replace(/\s+/g, " ").trim();
  return flat.length > PREVIEW_CHARACTERS_MAX ? `${flat.slice(0, PREVIEW_CHARACTERS_MAX)}…` : flat;
}

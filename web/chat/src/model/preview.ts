/** A message in one line: in the list of conversations, in quotes, in notifications. */
import type { Message } from "@hongyan/sdk";
import type { Words } from "../words/en.js";
import { eventText } from "./events.js";
import { called } from "./names.js";

const PREVIEW_CHARACTERS_MAX = 160;

/** `nameOf`: how people are called here; `me` among them is "you". */
export function preview(message: Message, words: Words, me = "", nameOf = (user: string) => called(user, words)): string {
  if (message.event) return eventText(message.event, message.sender ?? "", words, me, nameOf);
  if (message.recalled) return message.own ? words.recalledByYou : words.recalledBy(nameOf(message.sender ?? message.user));
  if (message.type !== "text") return words.kinds[message.type];
  const flat = message.text.slice(0, PREVIEW_CHARACTERS_MAX * 2).replace(/```/g, " ").replace(/\s+/g, " ").trim();
  return flat.length > PREVIEW_CHARACTERS_MAX ? `${flat.slice(0, PREVIEW_CHARACTERS_MAX)}…` : flat;
}

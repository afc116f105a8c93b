/** Guesses how tall a message will be, so that the scroll bar is about right before it is drawn. Being wrong costs nothing. */
import type { Message } from "@hongyan/sdk";

const LINE_PX = 21;
const PADDING_PX = 18;
const CHARACTER_PX = 7.4;
const WIDE_CHARACTER_PX = 15;
const BUBBLE_PART = 0.66;
const BUBBLE_PX_MAX = 560;

export function guessHeight(message: Message | undefined, widthPx: number): number {
  if (!message) return 40;
  if (message.event) return 34;
  if (message.type === "image" && !message.recalled) return 216;
  if (message.type !== "text" && !message.recalled) return 74;
  const room = Math.max(140, Math.min(widthPx * BUBBLE_PART, BUBBLE_PX_MAX)) - 24;
  const wide = /[\u2e80-\uffef]/.test(message.text.slice(0, 40));
  const perLine = Math.max(8, Math.floor(room / (wide ? WIDE_CHARACTER_PX : CHARACTER_PX)));
  let lines = 0;
  for (const line of message.text.split("\n")) lines += Math.max(1, Math.ceil(line.length / perLine));
  return lines * LINE_PX + PADDING_PX + (message.replyTo ? 50 : 0) + (message.reactions.length ? 30 : 0);
}

/**
 * Where an own message stands, as one mark. A message says what was known when it was last told; the conversation's
 * receipts move on for all messages at once, so the further of the two is shown.
 */
import type { Conversation, Message, SendState } from "@hongyan/sdk";

const ORDER: readonly SendState[] = ["sending", "sent", "delivered", "read"];

type Receipts = Pick<Conversation, "deliveredSeq" | "theirReadSeq">;

export function sendState(message: Message, receipts: Receipts | undefined): SendState | undefined {
  if (!message.own || message.event) return undefined;
  if (message.seq === undefined) return message.state === "failed" ? "failed" : "sending";
  const told = message.state && message.state !== "failed" ? message.state : "sent";
  if (!receipts) return told;
  const receipt: SendState =
    message.seq <= receipts.theirReadSeq ? "read" : message.seq <= receipts.deliveredSeq ? "delivered" : "sent";
  return ORDER.indexOf(receipt) > ORDER.indexOf(told) ? receipt : told === "sending" ? "sent" : told;
}

/**
 * Somebody who has written from this site as a visitor signs in: what they said becomes read-only history of the account
 * (PROTOCOL.md §19). Only with a sign-in that somebody has just made by hand; who merely opens the chat again, and has
 * looked at the shop in between, may be the merchant.
 */
import { type Client, forgetVisitorMark, type Refusal, visitorMark } from "@hongyan/sdk";

/** It is for good. What failed because of a connection or load may work the next time. */
const isAnswer = (error: unknown): boolean => typeof error === "object" && (error as Partial<Refusal>).retryable === false;

export async function claimOwnVisitor(client: Client, app: string): Promise<void> {
  const mark = visitorMark({ app });
  if (mark === undefined) return;
  try {
    await client.claimVisitor(mark);
  } catch (error) {
    if (!isAnswer(error)) return;
  }
  forgetVisitorMark({ app });
}

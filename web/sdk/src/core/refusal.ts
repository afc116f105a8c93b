/** Refusals as applications see them, and which of them end a session. */

import type { Refusal } from "../api";
import * as proto from "../wire/proto";

/** The lower-case name of an enum's value; empty if a newer server has told one that is not known here. */
export function named(values: Record<string, number>, value: number): string {
  for (const name in values) if (values[name] === value) return name.toLowerCase();
  return "";
}

export function refusalOf(refusal: proto.Refusal): Refusal {
  const { code, text, retryable, retryAfterMs } = refusal;
  return { code: named(proto.RefusalCode, code) || `code_${code}`, text, retryable, retryAfterMs };
}

/** What the server would say; this side knows it already. */
export const refuse = (code: number, text: string): proto.Refusal => ({ code, text, retryable: false, retryAfterMs: 0 });

/** Nothing of this session will be accepted any more. */
export function isEnd({ code }: proto.Refusal): boolean {
  return code === proto.RefusalCode.KICKED || code === proto.RefusalCode.REVOKED;
}

/** As `isEnd`, or the session has to be opened anew. */
export function needsLogin(refusal: proto.Refusal): boolean {
  return isEnd(refusal) || refusal.code === proto.RefusalCode.UNAUTHENTICATED;
}

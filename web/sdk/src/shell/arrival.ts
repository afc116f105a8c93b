/**
 * How a visitor arrives: by the mark of an earlier visit, or as a new visitor. A login is a visit for the server, so within
 * half an hour of the last one the session goes on instead, as the page changes under it.
 */

import type { Arrival, Refusal, StopReason } from "../api";
import type { Engine } from "./engine";
import { keptMark } from "./mark";
import { placeOf } from "./place";

/** The server counts a login as the same visit for so long. */
const VISIT_MS = 30 * 60_000;
/** The mark is forged or too old, or an account has claimed the visitor. */
const USELESS = ["unauthenticated", "conflict"];

/** The session was ended by the server, as a claim does; whether the visitor was ended, too, the mark will show. */
function goOn(engine: Engine, credential: { visitor: Arrival }, reason: Partial<StopReason>): Promise<void> {
  if (reason.kind === "revoked") return engine.signIn(credential);
  throw reason;
}

export async function arrive(engine: Engine, arrival: Arrival): Promise<void> {
  const { core, world } = engine;
  const mark = arrival.mark ?? core.mark ?? "";
  const credential = { visitor: { page: placeOf(arrival.page), referrer: placeOf(arrival.referrer), mark } };
  const isSameVisit = core.session !== undefined && mark === core.mark && world.clock() - (keptMark(world.storage, engine.name)?.at ?? 0) < VISIT_MS;
  try {
    if (isSameVisit) await engine.continueAs(credential).catch((reason) => goOn(engine, credential, reason));
    else await engine.signIn(credential);
  } catch (error) {
    if (mark && USELESS.includes((error as Partial<Refusal>).code ?? "")) await engine.forgetAll();
    throw error;
  }
}

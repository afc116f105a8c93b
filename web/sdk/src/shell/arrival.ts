/**
 * How a visitor arrives: by the mark of an earlier visit, or as a new visitor. A login is a visit for the server, so within
 * half an hour of the last one the session goes on instead, as the page changes under it.
 */

import type { Arrival, Refusal } from "../api";
import type { Engine } from "./engine";
import { keptMark } from "./mark";

/** The server counts a login as the same visit for so long. */
const VISIT_MS = 30 * 60_000;
/** The mark is forged or too old, or an account has claimed the visitor. */
const USELESS = ["unauthenticated", "conflict"];

export async function arrive(engine: Engine, arrival: Arrival): Promise<void> {
  const { core, world } = engine;
  const mark = arrival.mark ?? core.mark ?? "";
  const credential = { visitor: { ...arrival, mark } };
  const isSameVisit = core.session !== undefined && mark === core.mark && world.clock() - (keptMark(world.storage, engine.name)?.at ?? 0) < VISIT_MS;
  try {
    if (isSameVisit) await engine.continueAs(credential);
    else await engine.signIn(credential);
  } catch (error) {
    if (mark && USELESS.includes((error as Partial<Refusal>).code ?? "")) await engine.forgetAll();
    throw error;
  }
}

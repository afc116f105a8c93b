/** The SDK for those who are visitors on every page of a site (`options.visitor`): smaller, because a visitor is in no group. */
import type { Client, Options } from "./api";
import { TabClient } from "./client";
import { sit } from "./shell/seat";
import { browser, type World } from "./shell/world";

export type * from "./api";
export { forgetVisitorMark, visitorMark } from "./client";

/** What is kept for a visitor lies apart, so no tab with groups ever shares it. */
export function createVisitorClient(options: Options, world: World = browser()): Client {
  return new TabClient(world, (listener) => sit({ ...options, visitor: true }, world, listener));
}

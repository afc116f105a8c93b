/** The SDK: `createClient` and the types of `api.ts`. */
import type { Client, Options } from "./api";
import { TabClient } from "./client";
import { Groups } from "./core/groups";
import { sit } from "./shell/seat";
import { browser, type World } from "./shell/world";

export type * from "./api";
export { forgetVisitorMark, visitorMark } from "./client";

export function createClient(options: Options, world: World = browser()): Client {
  return new TabClient(world, (listener) => sit(options, world, listener, Groups));
}

/**
 * The SDK for pages of another sub-domain than the server's: a client that shares connection, outbox and cache with the tabs
 * of the server's own origin, by a frame of that origin. `web.bridge_origins` of the server must list the page's origin.
 */

import type { Client, Options } from "../api";
import { TabClient } from "../client";
import { browser, type World } from "../shell/world";
import { FarSeat, openFrame, type OpenFrame } from "./page";

export type * from "../api";
export { BridgeError } from "./page";

/** The server must be named: it is never the page's own origin. */
export type BridgeOptions = Options & { server: string };

/** As `createClient`. Calls reject with a `BridgeError` if the frame does not answer within 10 s; it is tried again until `close`. */
export function createBridgedClient(options: BridgeOptions, world: World = browser(), open: OpenFrame = openFrame): Client {
  const { server, ...rest } = options;
  return new TabClient(world, (listener) => new FarSeat(world, open, new URL(server).origin, rest, listener));
}

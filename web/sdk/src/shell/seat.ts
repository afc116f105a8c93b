/**
 * A tab's place among the tabs that share a connection: it calls the leader wherever that is, and leads when it is its turn.
 * Who listens at this place is an application in this tab (`client.ts`) or a page around this frame (`bridge/frame.ts`).
 */

import type { Events, Link, Options } from "../api";
import { callsOf } from "./calls";
import type { MakeGroups } from "../core/core";
import { Engine, type Host } from "./engine";
import { Tabs, type TabState } from "./tabs";
import type { World } from "./world";

export type Seat = Pick<Tabs, "call" | "look" | "close">;

export interface Listener {
  /** The last that was heard of it. */
  readonly link: Link;
  /** An event, whichever tab leads. */
  heard<K extends keyof Events>(event: K, value: Events[K], user: string | undefined): void;
  /** Somebody leads; this is how things are. */
  joined(state: TabState): void;
}

const serverOf = ({ server }: Options, world: World) => (server ?? world.origin).replace(/\/+$/, "");

/** Of the database, the channel, the lock. */
export function nameOf(options: Options, world: World): string {
  return `hongyan:${serverOf(options, world)}:${options.app}${options.visitor ? ":visitor" : ""}${options.profile ? `:${options.profile}` : ""}`;
}

/** `WithGroups` must be the same at all seats of one name: any of them may lead. */
export function sit(options: Options, browser: World, listener: Listener, WithGroups?: MakeGroups): Seat {
  const name = nameOf(options, browser);
  const world = options.transport === "poll" ? { ...browser, WebSocket: undefined } : browser;
  const tabs: Tabs = new Tabs(world, name, {
    lead: async () => {
      const host: Host = {
        tell: (event, value) => tabs.tell(event, value, engine.core.user),
        isLookedAt: (user) => tabs.isLookedAt(user),
        isLeader: () => tabs.isLeader(),
      };
      const engine = await Engine.open(world, options, name, serverOf(options, world), host, WithGroups);
      const calls = callsOf(engine);
      // The session that the leader before had goes on.
      const { state } = listener.link;
      if (state !== "idle" && state !== "stopped") void calls.start();
      return { calls, state: () => ({ link: engine.link, user: engine.core.user }), close: () => engine.close() };
    },
    joined: (state) => listener.joined(state),
    heard: (event, value, user) => listener.heard(event, value, user),
  });
  return tabs;
}

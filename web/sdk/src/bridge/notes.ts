/**
 * What a page and its frame say to each other. The page speaks first, by a message to the frame's window that only a frame
 * of the server's origin can get; it carries the port over which everything else goes. The frame says nothing to any window.
 */

import type { Events, Link, Options } from "../api";
import type { Calls } from "../shell/calls";
import type { TabState } from "../shell/tabs";

/** Rises when a page and a frame of different age would misunderstand each other. */
export const VERSION = 1;

export interface Hello {
  hongyanBridge: typeof VERSION;
  options: Omit<Options, "server">;
  /** What the page has heard last, from a frame that it had before. */
  link: Link;
}

export type FromPage =
  | { kind: "call"; id: number; method: keyof Calls; args: unknown[] }
  | { kind: "look"; user: string | undefined };

export type FromFrame =
  /** The page is let in; and again at each call, so that a page knows whether there is still somebody. */
  | { kind: "here" }
  /** The document of the frame ends. If its process dies, nobody says so. */
  | { kind: "gone" }
  | { kind: "joined"; state: TabState }
  | { kind: "event"; event: keyof Events; value: any; user: string | undefined }
  | { kind: "answer"; id: number; value?: unknown; error?: unknown };

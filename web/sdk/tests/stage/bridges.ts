/**
 * Pages of other origins with frames of the server's origin in one browser: what the server lists, and what a browser sees to
 * by itself (a frame that may not stand there is empty, a message to another origin than meant is dropped).
 */
import { createBridgedClient } from "../../src/bridge";
import { bridge, type Knock } from "../../src/bridge/frame";
import type { OpenFrame } from "../../src/bridge/page";
import type { World } from "../../src/shell/world";
import { Browser, type Tab } from "./browser";
import type { Page, Site } from "./site";

export const SERVER = "https://im.example";

/** What dies with a frame: its end of the port, too, which stays silent. */
const mute = (port: MessagePort, crashed: () => void) => () => {
  crashed();
  port.onmessage = null;
  port.postMessage = () => undefined;
};

export class Bridges {
  /** What may stand around a frame. */
  listed = ["https://www.example", "https://help.example"];
  /** The server is older than the bridge: there is a page, but nothing in it listens. */
  isOld = false;
  /** What the browser has for frames, or has not. */
  within: Partial<World> = {};
  /** Frames that stand in pages now. */
  readonly frames = new Set<Tab>();
  /** What the pages' messages to frames were, dropped or not. */
  readonly knocks: { data: unknown; target: string }[] = [];

  constructor(
    private readonly site: Site,
    private readonly browser: Browser,
  ) {}

  /** A page of this origin that uses the SDK's bridge. */
  page(origin: string, more: Partial<World> = {}): Page & { frame: () => Tab | undefined } {
    let frame: Tab | undefined;
    const tab = new Browser().tab({ origin, ...more });
    const open: OpenFrame = (address, loaded) => {
      const { open, listen } = this.load(address, origin, tab);
      frame = open;
      const { isOld } = this;
      queueMicrotask(() =>
        loaded({
          postMessage: (data: unknown, target: unknown, [port]: MessagePort[]) => {
            this.knocks.push({ data, target: String(target) });
            if (!frame || isOld || target !== SERVER) return;
            frame.crashed = mute(port!, frame.crashed);
            listen({ data: structuredClone(data), origin, source: tab as unknown as Window, ports: [port!] });
          },
        } as unknown as Window),
      );
      return () => {
        if (open) this.remove(open);
      };
    };
    return Object.assign(this.site.add(tab, createBridgedClient({ server: `${SERVER}/`, app: "app" }, tab.world, open)), { frame: () => frame });
  }

  /** A frame of the server in this page, unless the server does not let it stand there. */
  private load(address: string, around: string, page: Tab): { open: Tab | undefined; listen: (knock: Knock) => void } {
    const named = new URL(address).searchParams.get("origin");
    if (!address.startsWith(`${SERVER}/bridge?`) || !this.listed.includes(named ?? "") || named !== around) return { open: undefined, listen: () => undefined };
    const { world, die } = this.site.net.world();
    const open = this.browser.tab({ ...world, ...this.within, origin: SERVER });
    open.crashed = die;
    this.frames.add(open);
    return { open, listen: bridge(page, named, open.world) };
  }

  /** As a browser does it: the document is told, and everything that it had is freed. */
  remove(frame: Tab): void {
    if (!this.frames.delete(frame)) return;
    frame.fire("pagehide");
    frame.crash();
  }
}

/**
 * Chooses what carries the frames: a WebSocket if it stands within 3 s, otherwise polls; what has worked last comes first.
 * While polls are used, a WebSocket is tried again now and then.
 */

import type { Heard, Line } from "./line";
import { PollLine } from "./poll";
import { SocketLine } from "./socket";
import type { World } from "./world";

/** A WebSocket that does not stand after so long is left for polls. */
const RACE_MS = 3_000;
/** While polling, a WebSocket is tried again after so long… */
const AGAIN_MS = 300_000;
/** … and the first time sooner if it used to work here: the server may just have been restarted. */
const AGAIN_SOON_MS = 20_000;

export class Dialler {
  private readonly key: string;
  /** A WebSocket that stands and waits to be used. */
  private ready: SocketLine | undefined;
  private timer: number | undefined;
  /** What has worked last, or has turned out to be what works here. */
  private last: string | undefined;

  constructor(
    private readonly world: World,
    private readonly server: string,
    /** A WebSocket stands: dial again to use it. */
    private readonly better: () => void,
  ) {
    this.key = `hongyan.transport:${server}`;
    try {
      this.last = world.storage?.getItem(this.key) ?? undefined;
    } catch {
      // As if this were the first visit.
    }
  }

  private remember(transport: Line["transport"]): void {
    this.last = transport;
    try {
      this.world.storage?.setItem(this.key, transport);
    } catch {
      // Full or forbidden: the race is run again at the next visit.
    }
  }

  dial(heard: Heard): Line {
    this.world.clearTimeout(this.timer);
    const { ready } = this;
    this.ready = undefined;
    if (ready?.isOpen) {
      ready.handOver(heard);
      queueMicrotask(() => heard.connected());
      return ready;
    }
    ready?.close();
    const { WebSocket } = this.world;
    if (!WebSocket || this.last === "poll") return new PollLine(this.world, this.server, heard);
    return this.race(WebSocket, heard);
  }

  private race(Socket: typeof WebSocket, heard: Heard): Line {
    let line: Line;
    let over = false;
    const usePolls = () => {
      if (over) return;
      over = true;
      line.close();
      line = new PollLine(this.world, this.server, heard);
    };
    const timer = this.world.setTimeout(usePolls, RACE_MS);
    const first: Heard = {
      connected: () => {
        over = true;
        this.world.clearTimeout(timer);
        heard.connected();
      },
      received: (bytes) => heard.received(bytes),
      closed: () => {
        this.world.clearTimeout(timer);
        if (over) heard.closed();
        else usePolls();
      },
    };
    try {
      line = new SocketLine(Socket, this.server, first);
    } catch {
      // The page's own policy forbids it.
      this.world.clearTimeout(timer);
      return new PollLine(this.world, this.server, heard);
    }
    return {
      get transport() {
        return line.transport;
      },
      send: (frames) => line.send(frames),
      close: () => {
        over = true;
        this.world.clearTimeout(timer);
        line.close();
      },
    };
  }

  /** A session is open over this. */
  worked(transport: Line["transport"]): void {
    if (transport === "websocket") this.remember(transport);
    else this.later(this.last === "poll" ? AGAIN_MS : AGAIN_SOON_MS);
  }

  /** Nothing was heard over this before it went. A WebSocket that stands and is mute is some proxy's. */
  failed(transport: Line["transport"]): void {
    if (transport === "websocket") this.remember("poll");
  }

  private later(ms: number): void {
    this.world.clearTimeout(this.timer);
    this.timer = this.world.setTimeout(() => this.tryAgain(), ms);
  }

  private tryAgain(): void {
    if (!this.world.WebSocket) return;
    const line = new SocketLine(this.world.WebSocket, this.server, {
      connected: () => {
        this.world.clearTimeout(this.timer);
        this.ready = line;
        this.better();
      },
      received() {},
      closed: () => {
        // Now it is clear that polls are what works here.
        this.remember("poll");
        if (this.ready === line) this.ready = undefined;
        this.later(AGAIN_MS);
      },
    });
    this.timer = this.world.setTimeout(() => {
      line.close();
      this.remember("poll");
      this.later(AGAIN_MS);
    }, RACE_MS);
  }

  close(): void {
    this.world.clearTimeout(this.timer);
    this.ready?.close();
    this.ready = undefined;
  }
}

/**
 * Frames over held polls, where WebSocket does not come through (PROTOCOL.md §18): one poll is always held, what is sent
 * goes by `/v1/frames`, one request at a time. Frames never ride in a poll: nothing tells when the server has taken
 * them, so what is sent behind them could overtake them.
 */

import { bundle } from "../wire/frame";
import type { Heard, Line } from "./line";
import type { World } from "./world";

/** A poll is held for 90 s; a bit more is the network's. */
const POLL_MS = 105_000;
const FRAMES_MS = 15_000;
const FRAMES_BYTES_MAX = 262_144;
/** A request that the network lost is repeated with the same number: the server knows which it has answered. */
const TRIES_MAX = 3;
const RETRY_MS = 500;

export class PollLine implements Line {
  readonly transport = "poll";
  private token = "";
  private isFirst = true;
  private queue: Uint8Array[] = [];
  private sending = false;
  private dead = false;
  private readonly abort = new AbortController();

  constructor(
    private readonly world: World,
    private readonly server: string,
    private readonly heard: Heard,
  ) {
    // There is nothing to connect: the first request carries the login.
    queueMicrotask(() => !this.dead && heard.connected());
  }

  send(frames: readonly Uint8Array[]): void {
    if (this.dead || frames.length === 0) return;
    this.queue.push(...frames);
    if (this.isFirst) {
      this.isFirst = false;
      void this.poll();
    } else if (this.token) void this.flush();
  }

  private async poll(): Promise<void> {
    let body: Uint8Array | undefined = bundle(this.queue.splice(0), FRAMES_BYTES_MAX)[0];
    for (let number = 1; !this.dead; number++) {
      const response = await this.post("/v1/poll", "Hongyan-Poll", number, body, POLL_MS);
      body = undefined;
      if (!response || (response.status !== 200 && response.status !== 204)) return this.die();
      const token = response.headers.get("Hongyan-Connection");
      if (token) this.token = token;
      if (!this.token) return this.die();
      if (response.bytes.length) this.heard.received(response.bytes);
      void this.flush();
    }
  }

  private number = 0;

  private async flush(): Promise<void> {
    if (this.sending || !this.token) return;
    this.sending = true;
    while (this.queue.length && !this.dead) {
      for (const body of bundle(this.queue.splice(0), FRAMES_BYTES_MAX)) {
        const response = await this.post("/v1/frames", "Hongyan-Frames", ++this.number, body, FRAMES_MS);
        if (response?.status !== 204) return this.die();
      }
    }
    this.sending = false;
  }

  private async post(path: string, header: string, number: number, body: Uint8Array | undefined, ms: number) {
    const headers: Record<string, string> = { [header]: String(number) };
    if (this.token) headers["Authorization"] = `Bearer ${this.token}`;
    if (body) headers["Content-Type"] = "application/octet-stream";
    for (let tries = 1; !this.dead; tries++) {
      const late = new AbortController();
      const timer = this.world.setTimeout(() => late.abort(), ms);
      const stop = () => late.abort();
      this.abort.signal.addEventListener("abort", stop);
      try {
        const init: RequestInit = { method: "POST", headers, cache: "no-store", credentials: "omit", signal: late.signal };
        if (body) init.body = body as Uint8Array<ArrayBuffer>;
        const response = await this.world.fetch(this.server + path, init);
        const bytes = new Uint8Array(await response.arrayBuffer());
        if (response.status < 500 || tries >= TRIES_MAX) return { status: response.status, headers: response.headers, bytes };
      } catch {
        // The first one opens the connection: the core backs off by itself.
        if (tries >= TRIES_MAX || !this.token) return undefined;
      } finally {
        this.world.clearTimeout(timer);
        this.abort.signal.removeEventListener("abort", stop);
      }
      await new Promise<void>((resolve) => this.world.setTimeout(resolve, RETRY_MS * tries));
    }
    return undefined;
  }

  private die(): void {
    if (this.dead) return;
    this.close();
    this.heard.closed();
  }

  close(): void {
    this.dead = true;
    this.abort.abort();
  }
}

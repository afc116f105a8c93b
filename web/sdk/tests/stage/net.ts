/**
 * The network between tabs and the tiny server: WebSockets and polls as PROTOCOL.md §18 says, and what may be wrong with
 * them. Everything is delivered by microtasks; nothing here waits.
 */
import type { World } from "../../src/shell/world";
import { Server } from "./server";

interface Polled {
  line: number;
  polls: number;
  frames: number;
  answer: Uint8Array | undefined;
  held: ((bytes: Uint8Array) => void) | undefined;
  queue: Uint8Array[];
}

export class Net {
  readonly server = new Server();
  /** What WebSockets come to: they stand, are refused, never answer, or stand and are mute. */
  sockets: "open" | "refused" | "hanging" | "mute" = "open";
  polls: "open" | "refused" = "open";
  /** The next answer to a poll or to frames is lost on the way. */
  loseAnswer = false;
  socketsMade = 0;
  requests: string[] = [];
  private readonly open = new Set<Socket>();
  private readonly polled = new Map<string, Polled>();

  get connections(): number {
    return this.open.size + this.polled.size;
  }

  /** For one tab; `die` ends what it has open without telling it. */
  world(): { world: Pick<World, "WebSocket" | "fetch">; die: () => void } {
    const net = this;
    const sockets = new Set<Socket>();
    const polled = new Set<string>();
    let dead = false;
    const WebSocket = class extends Socket {
      constructor(url: string, protocol: string) {
        super(net, url, protocol);
        sockets.add(this);
      }
    };
    const fetch = async (url: string, init: RequestInit) => {
      const response = await this.fetch(url, init, (token) => polled.add(token));
      return dead ? new Promise(() => undefined) : response;
    };
    const die = () => {
      dead = true;
      for (const socket of sockets) socket.die();
      for (const token of polled) {
        this.server.close(this.polled.get(token)?.line ?? 0);
        this.polled.delete(token);
      }
    };
    return { world: { WebSocket: WebSocket as unknown as typeof globalThis.WebSocket, fetch: fetch as typeof globalThis.fetch }, die };
  }

  join(socket: Socket): void {
    this.open.add(socket);
  }

  leave(socket: Socket): void {
    this.open.delete(socket);
  }

  /** Brings what the server has said to everybody. */
  deliver(): void {
    for (const socket of [...this.open]) {
      if (socket.line === undefined) continue;
      const { frames, open } = this.server.takeOutput(socket.line);
      for (const frame of frames) socket.hear(frame);
      if (!open) socket.end();
    }
    for (const [token, polled] of [...this.polled]) {
      const { frames, open } = this.server.takeOutput(polled.line);
      polled.queue.push(...frames);
      if (polled.queue.length && polled.held) {
        const held = polled.held;
        polled.held = undefined;
        held(Buffer.concat(polled.queue.splice(0)));
      }
      if (!open && !polled.queue.length) {
        this.polled.delete(token);
        polled.held?.(new Uint8Array(0));
      }
    }
  }

  /** All connections are gone, as when a server is killed. */
  cut(): void {
    this.server.cutAll();
    this.deliver();
  }

  private async fetch(url: string, init: RequestInit, opened: (token: string) => void): Promise<Response> {
    if (this.polls === "refused") throw new TypeError("refused");
    const path = new URL(url).pathname;
    const headers = new Headers(init.headers);
    const body = init.body ? new Uint8Array(init.body as Uint8Array<ArrayBuffer>) : new Uint8Array(0);
    const answer = (status: number, bytes?: Uint8Array, more: HeadersInit = {}) =>
      new Response(bytes?.length ? (bytes as Uint8Array<ArrayBuffer>) : null, { status, headers: more });
    this.requests.push(`${path} ${headers.get("Hongyan-Poll") ?? headers.get("Hongyan-Frames")}`);
    await Promise.resolve();
    let token = headers.get("Authorization")?.replace("Bearer ", "");
    if (!token && path === "/v1/poll" && headers.get("Hongyan-Poll") === "1") {
      token = `token${Math.random()}`;
      opened(token);
      this.polled.set(token, { line: this.server.accept(), polls: 0, frames: 0, answer: undefined, held: undefined, queue: [] });
    }
    const polled = this.polled.get(token ?? "");
    if (!polled) return answer(401);
    const lost = this.loseAnswer && polled.polls > 0;
    if (path === "/v1/frames") {
      const number = Number(headers.get("Hongyan-Frames"));
      if (number === polled.frames + 1) {
        polled.frames = number;
        this.server.receive(polled.line, body);
        this.deliver();
      } else if (number !== polled.frames) return answer(409);
      if (lost) this.loseAnswer = false;
      if (lost) throw new TypeError("lost");
      return answer(204);
    }
    const number = Number(headers.get("Hongyan-Poll"));
    if (number === polled.polls && polled.answer) return answer(200, polled.answer);
    if (number !== polled.polls + 1) return answer(409);
    polled.polls = number;
    const bytes = await new Promise<Uint8Array>((resolve, reject) => {
      polled.held?.(new Uint8Array(0));
      polled.held = resolve;
      init.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      if (body.length) this.server.receive(polled.line, body);
      this.deliver();
    });
    polled.answer = bytes;
    if (lost && bytes.length) {
      this.loseAnswer = false;
      throw new TypeError("lost");
    }
    return answer(bytes.length ? 200 : 204, bytes, number === 1 ? { "Hongyan-Connection": token! } : {});
  }
}

class Socket {
  readyState = 0;
  binaryType = "blob";
  line: number | undefined;
  onopen: (() => void) | undefined;
  onclose: (() => void) | undefined;
  onerror: (() => void) | undefined;
  onmessage: ((event: { data: ArrayBuffer }) => void) | undefined;

  constructor(
    private readonly net: Net,
    url: string,
    protocol: string,
  ) {
    if (url !== "wss://im.example/v1/socket" || protocol !== "hongyan.v1") throw new Error(`not a socket of ours: ${url}`);
    net.socketsMade++;
    if (net.sockets === "hanging") return;
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      if (net.sockets === "refused") return this.end();
      this.readyState = 1;
      this.line = net.sockets === "mute" ? undefined : net.server.accept();
      net.join(this);
      this.onopen?.();
    });
  }

  send(bytes: Uint8Array): void {
    if (this.readyState !== 1 || this.line === undefined) return;
    this.net.server.receive(this.line, bytes.slice());
    queueMicrotask(() => this.net.deliver());
  }

  hear(bytes: Uint8Array): void {
    if (this.binaryType !== "arraybuffer") throw new Error("blobs come late and out of order");
    this.onmessage?.({ data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer });
  }

  end(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.net.leave(this);
    if (this.line !== undefined) this.net.server.close(this.line);
    this.onclose?.();
  }

  close(): void {
    queueMicrotask(() => this.end());
  }

  die(): void {
    this.onopen = this.onclose = this.onmessage = undefined;
    this.end();
  }
}

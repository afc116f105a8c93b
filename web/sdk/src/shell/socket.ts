/** Frames over a WebSocket (PROTOCOL.md §18). */

import { bundle } from "../wire/frame";
import type { Heard, Line } from "./line";

const PROTOCOL = "hongyan.v1";
/** One message from a client holds at most so many bytes. */
const MESSAGE_BYTES_MAX = 65_551;

export class SocketLine implements Line {
  readonly transport = "websocket";
  private readonly socket: WebSocket;

  constructor(
    Socket: typeof WebSocket,
    server: string,
    private heard: Heard,
  ) {
    this.socket = new Socket(`${server.replace(/^http/, "ws")}/v1/socket`, PROTOCOL);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.heard.connected();
    // It says nothing, and `close` follows.
    this.socket.onerror = () => undefined;
    this.socket.onclose = () => this.heard.closed();
    this.socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.heard.received(new Uint8Array(data));
    };
  }

  get isOpen(): boolean {
    return this.socket.readyState === 1;
  }

  /** Gives what is heard from now on to somebody else. */
  handOver(heard: Heard): void {
    this.heard = heard;
  }

  send(frames: readonly Uint8Array[]): void {
    if (!this.isOpen) return;
    for (const message of bundle(frames, MESSAGE_BYTES_MAX)) this.socket.send(message as Uint8Array<ArrayBuffer>);
  }

  close(): void {
    this.heard = { connected() {}, received() {}, closed() {} };
    this.socket.close();
  }
}

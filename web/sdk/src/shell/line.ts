/** A connection as the engine sees it, whatever carries the frames. */

export interface Line {
  readonly transport: "websocket" | "poll";
  send(frames: readonly Uint8Array[]): void;
  /** Nothing is told any more. */
  close(): void;
}

export interface Heard {
  /** Frames may be sent. */
  connected(): void;
  received(bytes: Uint8Array): void;
  /** Gone, or never made; told once. */
  closed(): void;
}

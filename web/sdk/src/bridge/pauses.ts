/** How long a page waits before it opens its next frame. Numbers only: `page.ts` has the timer and knows what a failure is. */

import { Jitter } from "../core/jitter";

/** After the first failure; twice as long after each further one. */
const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

export class Pauses {
  private readonly jitter: Jitter;
  private whole = FIRST_MS;

  constructor(seed: number) {
    this.jitter = new Jitter(seed);
  }

  /** After a failure. At least half of the whole, as each attempt loads a document; the rest is random, so that pages do not move in step. */
  next(): number {
    const half = this.whole / 2;
    this.whole = Math.min(this.whole * 2, LONGEST_MS);
    return half + this.jitter.upTo(half);
  }

  /** Earlier failures are forgiven. */
  reset(): void {
    this.whole = FIRST_MS;
  }
}

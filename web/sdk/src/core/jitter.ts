/** Numbers that keep clients from moving in step. Not secret: xorshift from a seed, so that a run can be repeated. */

export class Jitter {
  private word: number;

  constructor(seed: number) {
    this.word = (Math.imul(seed | 0, 0x9e37_79b1) ^ 0x85eb_ca6b) | 1;
  }

  /** Evenly between 0 and `max`, both included. */
  upTo(max: number): number {
    this.word ^= this.word << 13;
    this.word ^= this.word >>> 17;
    this.word ^= this.word << 5;
    return Math.floor(((this.word >>> 0) / 2 ** 32) * (max + 1));
  }
}

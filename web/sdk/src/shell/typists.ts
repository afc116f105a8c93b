/** Who is typing. A receiver forgets it after 6 s, a sender tells it every 3 s (PROTOCOL.md §11). */

import type { World } from "./world";

const FORGOTTEN_MS = 6_000;
const TELL_EVERY_MS = 3_000;

export class Typists {
  private readonly timers = new Map<string, number>();
  private readonly told = new Map<string, number>();

  constructor(
    private readonly world: World,
    private readonly tell: (typing: { user: string; stopped: boolean; sender?: string }) => void,
  ) {}

  /** `sender`: who of a group. */
  typing(user: string, stopped: boolean, sender: string): void {
    if (stopped) return this.stopped(user, sender);
    const key = user + sender;
    this.world.clearTimeout(this.timers.get(key));
    this.timers.set(key, this.world.setTimeout(() => this.stopped(user, sender), FORGOTTEN_MS));
    this.tell({ user, stopped: false, ...(sender && { sender }) });
  }

  /** They stopped, or have sent what they typed. */
  stopped(user: string, sender: string): void {
    const key = user + sender;
    if (!this.timers.has(key)) return;
    this.world.clearTimeout(this.timers.get(key));
    this.timers.delete(key);
    this.tell({ user, stopped: true, ...(sender && { sender }) });
  }

  /** Whether it is time to tell the other person again. */
  isDue(user: string, stopped: boolean): boolean {
    const last = this.told.get(user);
    if (stopped) return this.told.delete(user);
    const now = this.world.clock();
    if (last !== undefined && now - last < TELL_EVERY_MS) return false;
    this.told.set(user, now);
    return true;
  }

  /** A message has ended the typing for the other person: what is typed next is told at once. */
  said(user: string): void {
    this.told.delete(user);
  }

  close(): void {
    for (const timer of this.timers.values()) this.world.clearTimeout(timer);
    this.timers.clear();
  }
}

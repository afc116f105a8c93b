/**
 * Which messages deserve a sound or a notification: not those of a conversation that somebody looks at, and of what
 * waited while this device was away only the last one of each conversation.
 */

import type { Message } from "../api";

export class Notices {
  /** Absent once everything that waited has arrived. */
  private waiting: Map<string, Message> | undefined = new Map();

  constructor(
    private readonly isLookedAt: (user: string) => boolean,
    private readonly notify: (message: Message) => void,
  ) {}

  add(message: Message): void {
    if (this.waiting) this.waiting.set(message.user, message);
    else if (!this.isLookedAt(message.user)) this.notify(message);
  }

  /** The link is down: what comes next has waited. */
  behind(): void {
    this.waiting ??= new Map();
  }

  caughtUp(readSeq: (user: string) => number): void {
    const waited = this.waiting;
    this.waiting = undefined;
    for (const message of waited?.values() ?? []) if (message.seq! > readSeq(message.user)) this.add(message);
  }
}

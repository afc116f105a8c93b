/** Read marks on their way to the server: the highest per conversation, repeated until confirmed. */

import { Operation } from "../wire/command";
import * as proto from "../wire/proto";
import { to } from "./alias";
import { type Core, earliest } from "./core";
import { needsLogin } from "./refusal";

/** An unanswered MARK_READ is repeated after so long. */
const REPEAT_AFTER_MS = 10_000;

interface Mark {
  seq: number;
  /** Absent = to be sent. */
  againAt?: number | undefined;
}

export class Reads {
  private readonly marks = new Map<string, Mark>();

  constructor(
    private readonly core: Core,
    restored: Map<string, number>,
  ) {
    for (const [user, seq] of restored) this.marks.set(user, { seq });
  }

  linkLost(): void {
    for (const mark of this.marks.values()) mark.againAt = undefined;
  }

  deadline(): number | undefined {
    return earliest(...[...this.marks.values()].map((mark) => mark.againAt));
  }

  keepAll(): void {
    for (const [user, { seq }] of this.marks) this.core.keep({ kind: "read", user, seq });
  }

  queue(user: string, seq: number): void {
    this.marks.set(user, { seq });
    this.core.keep({ kind: "read", user, seq });
  }

  pump(now: number): void {
    const { core } = this;
    if (!core.link.is("live")) return;
    for (const [user, mark] of this.marks) {
      if (mark.againAt !== undefined) continue;
      mark.againAt = now + REPEAT_AFTER_MS;
      const id = core.link.nextId();
      core.pending.set(id, { kind: "read", user, seq: mark.seq });
      core.write(now, Operation.MARK_READ, proto.MarkReadRequest, { id, ...to(user), seq: mark.seq });
    }
  }

  timeout(now: number): void {
    for (const mark of this.marks.values()) if (mark.againAt !== undefined && mark.againAt <= now) mark.againAt = undefined;
  }

  answered(now: number, user: string, seq: number, answer: proto.MarkReadAnswer): void {
    const { refusal } = answer;
    if (!refusal) {
      this.confirm(user, seq);
      this.core.conversations.unreadTold(user, answer);
    } else if (needsLogin(refusal)) this.core.link.sessionRefused(now, refusal);
    // The timer repeats what was refused for now.
    else if (!refusal.retryable) this.confirm(user, seq);
  }

  /** The server knows of this mark, or will never take it. */
  confirm(user: string, seq: number): void {
    const mark = this.marks.get(user);
    if (!mark || mark.seq > seq) return;
    this.marks.delete(user);
    this.core.keep({ kind: "read", user, seq: 0 });
  }
}

/** Requests that wait for their answers on this connection, above all the application's own. */

import { decode, type Init, type Type } from "../wire/codec";
import { Operation } from "../wire/command";
import * as proto from "../wire/proto";
import { partsOf } from "./alias";
import { type Core, earliest } from "./core";
import type { Request, RequestError } from "./event";
import { hides } from "./known";
import { isEnd } from "./refusal";
import type { RoomPending } from "./rooms";

/** The application's request is given up after so long. */
const ANSWER_MS = 15_000;
/** Requests of the application that may wait at once. */
const REQUESTS_MAX = 64;
const TEXT_BYTES_MAX = 16_384;

/** What was deleted while a page is under way, which may have been read before. */
export interface Hidden {
  user: string;
  deletion: proto.Deletion;
}

export const isHidden = (hidden: readonly Hidden[], user: string, seq: number): boolean =>
  hidden.some((of) => of.user === user && hides(of.deletion, seq));

/** What an id stands for. Answers that need no context (ACK, SYNC, KEEPALIVE, TYPING) are not here. */
export type Pending =
  /** A row of the outbox. */
  | { kind: "send"; local: number }
  | { kind: "read"; user: string; seq: number }
  | { kind: "receipts" }
  | { kind: "list"; hidden: Hidden[] }
  /** The newest of the list once more. */
  | { kind: "top"; hidden: Hidden[] }
  | RoomPending
  | { kind: "application"; token: number; request: Request; expires: number; hidden: Hidden[] };

/** What every answer has. */
interface Answer {
  id: number;
  refusal?: proto.Refusal;
}

const ANSWERS: Record<number, Type<any>> = {
  [Operation.HISTORY]: proto.HistoryAnswer,
  [Operation.RECALL]: proto.ChangeAnswer,
  [Operation.EDIT]: proto.ChangeAnswer,
  [Operation.REACT]: proto.ChangeAnswer,
  [Operation.DELETE]: proto.DeleteAnswer,
  [Operation.BLOCK]: proto.BlockAnswer,
  [Operation.LOGOUT]: proto.LogoutAnswer,
  [Operation.CLAIM_VISITOR]: proto.ClaimVisitorAnswer,
};

export class Requests {
  checkAt: number | undefined;

  constructor(private readonly core: Core) {}

  ask(now: number, token: number, request: Request): void {
    const { core } = this;
    const waiting = [...core.pending.values()].filter((pending) => pending.kind === "application").length;
    if (!core.link.is("live")) return this.fall(token, "offline");
    if (waiting >= REQUESTS_MAX) return this.fall(token, "noAnswer");
    if (request.kind === "edit" && request.body.length > TEXT_BYTES_MAX) {
      const refusal = { code: proto.RefusalCode.INVALID_ARGUMENT, text: "the text is too long", retryable: false, retryAfterMs: 0 };
      return this.fall(token, { refusal });
    }
    const id = core.link.nextId();
    const expires = now + ANSWER_MS;
    this.checkAt = earliest(this.checkAt, expires);
    core.pending.set(id, { kind: "application", token, request, expires, hidden: [] });
    this.write(now, id, request);
  }

  private write(now: number, id: number, request: Request): void {
    const write = <T>(operation: number, type: Type<T>, message: Init<T>) => this.core.write(now, operation, type, message);
    switch (request.kind) {
      case "history":
        return write(Operation.HISTORY, proto.HistoryRequest, { ...request, ...partsOf(request.user), id });
      case "recall":
        return write(Operation.RECALL, proto.RecallRequest, { ...request, id });
      case "edit":
        return write(Operation.EDIT, proto.EditRequest, { ...request, id });
      case "react":
        return write(Operation.REACT, proto.ReactRequest, { ...request, id });
      case "delete":
        return write(Operation.DELETE, proto.DeleteRequest, { ...request, id });
      case "block":
        return write(Operation.BLOCK, proto.BlockRequest, { ...request, id });
      case "claim":
        return write(Operation.CLAIM_VISITOR, proto.ClaimVisitorRequest, { ...request, id });
      case "logout":
        return write(Operation.LOGOUT, proto.LogoutRequest, { id });
    }
  }

  /** Rows of pages that are under way, of a history or of the list, are deleted by now. */
  hideFromPages(user: string, deletion: proto.Deletion): void {
    for (const pending of this.core.pending.values()) if ("hidden" in pending) pending.hidden.push({ user, deletion });
  }

  /** The answer to a request of the application, or one that nobody waits for. */
  answered(now: number, operation: number, body: Uint8Array): void {
    const type = ANSWERS[operation] as Type<Answer> | undefined;
    if (!type) return;
    const { core } = this;
    const answer = decode(type, body);
    const asked = core.forget(answer.id, "application");
    if (!asked) return;
    const { request, token, hidden } = asked;
    if (answer.refusal) {
      this.fall(token, { refusal: answer.refusal });
      if (isEnd(answer.refusal)) core.link.sessionRefused(now, answer.refusal);
      return;
    }
    switch (request.kind) {
      case "history": {
        const page = answer as proto.HistoryAnswer;
        page.entries = page.entries.filter(({ seq }) => !isHidden(hidden, request.user, seq));
        core.conversations.keepHistory(request.user, page);
        break;
      }
      case "delete":
        core.conversations.applyDeletion(0, request.user, request.deletion);
        break;
      case "block":
        core.conversations.setBlocked(request.user, request.blocked);
        break;
      // What follows from it comes with the inbox.
      case "claim":
      case "logout":
        break;
      default:
        // The changed row itself comes with the inbox.
        core.inbox.noteHead(now, (answer as proto.ChangeAnswer).inboxSeq);
    }
    core.tell({ kind: "answered", token, result: { answer } });
    if (request.kind === "logout") {
      core.forgetSession();
      core.link.stop({ kind: "signed-out" });
    }
  }

  private fall(token: number, error: RequestError): void {
    this.core.tell({ kind: "answered", token, result: { error } });
  }

  /** The connection is gone. */
  fail(): void {
    this.checkAt = undefined;
    const gone = [...this.core.pending.values()];
    this.core.pending.clear();
    for (const pending of gone) if (pending.kind === "application") this.fall(pending.token, "noAnswer");
  }

  timeout(now: number): void {
    if (this.checkAt === undefined || this.checkAt > now) return;
    this.checkAt = undefined;
    for (const [id, pending] of this.core.pending) {
      if (pending.kind !== "application") continue;
      if (pending.expires <= now) {
        this.core.pending.delete(id);
        this.fall(pending.token, "noAnswer");
      } else this.checkAt = earliest(this.checkAt, pending.expires);
    }
  }
}

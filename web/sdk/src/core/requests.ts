/** Requests that wait for their answers on this connection, above all the application's own. */

import { decode, encode, type Type } from "../wire/codec";
import { Operation } from "../wire/command";
import * as proto from "../wire/proto";
import { isGroup, to } from "./alias";
import { type Core, earliest } from "./core";
import type { Request, RequestError } from "./event";
import { hides } from "./known";
import { isEnd, refuse } from "./refusal";
import type { GroupPending } from "./groups";
import type { RoomPending } from "./rooms";

/** The application's request is given up after so long. */
const ANSWER_MS = 15_000;
/** Requests of the application that may wait at once. */
const REQUESTS_MAX = 64;
const TEXT_BYTES_MAX = 16_384;
/** The push that brings a change is usually on its way. */
const LATE_MS = 1_000;

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
  | GroupPending
  | { kind: "application"; token: number; request: Request; expires: number; hidden: Hidden[] };

/** Many answers say only whether it was done; all begin with that. */
const Done = proto.LogoutAnswer;

/** How each kind of request is written, and its answer read. */
const WIRE: Record<Exclude<Request["kind"], "plain">, readonly [number, Type<any>, Type<any>]> = {
  history: [Operation.HISTORY, proto.HistoryRequest, proto.HistoryAnswer],
  recall: [Operation.RECALL, proto.RecallRequest, proto.ChangeAnswer],
  edit: [Operation.EDIT, proto.EditRequest, proto.ChangeAnswer],
  react: [Operation.REACT, proto.ReactRequest, proto.ChangeAnswer],
  delete: [Operation.DELETE, proto.DeleteRequest, Done],
  block: [Operation.BLOCK, proto.BlockRequest, Done],
  claim: [Operation.CLAIM_VISITOR, proto.ClaimVisitorRequest, proto.ClaimVisitorAnswer],
  logout: [Operation.LOGOUT, proto.LogoutRequest, Done],
};

/** What may be asked by a body that was written elsewhere: nothing of it changes what this core rests on. */
const PLAIN: readonly number[] = [Operation.CREATE_GROUP, Operation.CHANGE_GROUP, Operation.JOIN_GROUP, Operation.GROUP_MEMBERS, Operation.GROUP_RECEIPTS];

const invalid = (text: string): RequestError => ({ refusal: refuse(proto.RefusalCode.INVALID_ARGUMENT, text) });

export class Requests {
  checkAt: number | undefined;

  constructor(private readonly core: Core) {}

  ask(now: number, token: number, request: Request): void {
    const { core } = this;
    const waiting = [...core.pending.values()].filter((pending) => pending.kind === "application").length;
    if (!core.link.is("live")) return this.fall(token, "offline");
    if (waiting >= REQUESTS_MAX) return this.fall(token, "noAnswer");
    if (request.kind === "edit" && request.body.length > TEXT_BYTES_MAX) return this.fall(token, invalid("the text is too long"));
    if (request.kind === "plain" && !PLAIN.includes(request.operation)) return this.fall(token, invalid("no such request"));
    const id = core.link.nextId();
    const expires = now + ANSWER_MS;
    this.checkAt = earliest(this.checkAt, expires);
    core.pending.set(id, { kind: "application", token, request, expires, hidden: [] });
    this.write(now, id, request);
  }

  private write(now: number, id: number, request: Request): void {
    const { core } = this;
    if (request.kind === "plain") {
      // The id is a field like others; they may stand in any order.
      const head = encode(proto.LogoutRequest, { id });
      const body = new Uint8Array(head.length + request.body.length);
      body.set(head);
      body.set(request.body, head.length);
      return core.writeBody(now, request.operation, body);
    }
    const [operation, type] = WIRE[request.kind];
    core.write(now, operation, type, { ...request, ...("user" in request ? to(request.user) : {}), id });
  }

  /** Rows of pages that are under way, of a history or of the list, are deleted by now. */
  hideFromPages(user: string, deletion: proto.Deletion): void {
    for (const pending of this.core.pending.values()) if ("hidden" in pending) pending.hidden.push({ user, deletion });
  }

  /** The answer to a request of the application, or one that nobody waits for. */
  answered(now: number, body: Uint8Array): void {
    const { core } = this;
    const { id, refusal } = decode(Done, body);
    // What was acknowledged of groups is known now.
    core.forget(id, "groupAck");
    const asked = core.forget(id, "application");
    if (!asked) return;
    const { request, token, hidden } = asked;
    if (refusal) {
      this.fall(token, { refusal });
      if (isEnd(refusal)) core.link.sessionRefused(now, refusal);
      return;
    }
    const answer: unknown = request.kind === "plain" ? body.slice() : decode(WIRE[request.kind][2], body);
    this.follow(now, request, answer, hidden);
    core.tell({ kind: "answered", token, result: { answer } });
    if (request.kind === "logout") {
      core.forgetSession();
      core.link.stop({ kind: "signed-out" });
    }
  }

  /** What the core learns from an answer. */
  private follow(now: number, request: Request, answer: unknown, hidden: readonly Hidden[]): void {
    const { conversations, groups, inbox } = this.core;
    switch (request.kind) {
      case "history": {
        const page = answer as proto.HistoryAnswer;
        this.core.markOwn(page.entries);
        page.entries = page.entries.filter(({ seq }) => !isHidden(hidden, request.user, seq));
        return conversations.keepHistory(request.user, page);
      }
      case "delete":
        return conversations.applyDeletion(0, request.user, request.deletion);
      case "block":
        return conversations.setBlocked(request.user, request.blocked);
      case "plain":
        // Not every change of a group is told in its log.
        return request.operation <= Operation.JOIN_GROUP ? groups?.wantList() : undefined;
      // What follows from it comes with the inbox.
      case "claim":
      case "logout":
        return;
    }
    // The changed row itself comes with the inbox, or the group's log.
    const { seq, inboxSeq } = answer as proto.ChangeAnswer;
    if (isGroup(request.user)) groups?.noteHead(now, request.user, seq, LATE_MS);
    else inbox.noteHead(now, inboxSeq);
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

/**
 * The rooms that this session is in (PROTOCOL.md §20): what goes to the server and comes from it. What is known of one
 * room is in `visit.ts`. Memory only: whoever enters again after a restart says where it was.
 */

import { decode, utf8 } from "../wire/codec";
import { Operation } from "../wire/command";
import * as proto from "../wire/proto";
import { type Core, earliest } from "./core";
import type { RequestError } from "./event";
import { needsLogin, refuse } from "./refusal";
import { type Ask, type Task, type Told, TRIES_MAX, Visit, type Waiting } from "./visit";

/** A request that is not answered in so long is repeated on another connection. */
const ANSWER_MS = 10_000;
/** Texts and pages of one room that may wait. */
const WAITING_MAX = 100;
/** Entries asked for at once. */
const PAGE_ENTRIES = 50;

const no = (code: number, text: string): RequestError => ({ refusal: refuse(code, text) });
const NOT_IN = no(proto.RefusalCode.NOT_FOUND, "this session is not in the room");

/** What an id of a request stands for. */
export interface RoomPending {
  kind: "room";
  visit: Visit;
  ask: Ask;
  answerBy: number;
}

export class Rooms {
  private readonly visits = new Map<string, Visit>();

  constructor(private readonly core: Core) {}

  /** `seq`: everything up to here was told to the application, by another core. */
  enter(token: number, room: string, name: string, seq?: number): void {
    const visit = new Visit(room, name, seq);
    visit.tokens.push(token);
    const present = this.visits.get(room);
    if (present?.stage === "leaving") {
      if (present.next) this.end(present.next, NOT_IN);
      present.next = visit;
    } else if (!present) this.begin(visit);
    else if (present.name !== name) this.fall(token, no(proto.RefusalCode.CONFLICT, `this session is in the room as ${present.name}`));
    else if (present.stage === "in") {
      // Another tab has come: it hears how things are.
      this.tell(present, [present.present()]);
      this.answer(token, undefined);
    } else {
      present.tokens.push(token);
      this.tell(present, [{ kind: "entering" }]);
    }
  }

  private begin(visit: Visit): void {
    this.visits.set(visit.room, visit);
    this.tell(visit, [{ kind: "entering" }]);
  }

  leave(token: number, room: string): void {
    const visit = this.visits.get(room);
    if (!visit) return this.answer(token, undefined);
    if (visit.next) this.end(visit.next, NOT_IN);
    visit.next = undefined;
    if (visit.stage !== "leaving") {
      this.fallAll(visit, NOT_IN);
      visit.stage = "leaving";
      visit.asked = false;
      visit.tries = visit.notBefore = 0;
      this.tell(visit, [{ kind: "out" }]);
    }
    // Without a connection it is left as soon as there is one; nobody has to wait for that.
    if (this.core.link.is("live")) visit.tokens.push(token);
    else this.answer(token, undefined);
  }

  /** Puts a text on its way, or asks for a page. */
  add(room: string, task: Task): void {
    const visit = this.visits.get(room);
    if (!visit || visit.stage === "leaving") return this.fall(task.token, NOT_IN);
    if (visit.waiting.length >= WAITING_MAX) return this.fall(task.token, no(proto.RefusalCode.TRY_LATER, "too much waits"));
    // Before the first answer the limit is not known.
    if (task.kind === "say" && visit.charactersMax && [...task.text].length > visit.charactersMax) {
      return this.fall(task.token, no(proto.RefusalCode.INVALID_ARGUMENT, `at most ${visit.charactersMax} characters`));
    }
    visit.waiting.push({ task, flies: false, notBefore: 0, tries: 0 });
  }

  /** The session is gone, and with it every place in a room. */
  endAll(): void {
    for (const visit of [...this.visits.values()]) this.end(visit, "offline");
    this.visits.clear();
  }

  private end(visit: Visit, error: RequestError): void {
    if (this.visits.get(visit.room) === visit) this.visits.delete(visit.room);
    if (visit.stage !== "leaving") {
      this.fallAll(visit, error);
      this.tell(visit, [{ kind: "out", ...(typeof error === "object" ? error : {}) }]);
    }
    this.answerAll(visit);
    if (visit.next) this.begin(visit.next);
  }

  linkLost(): void {
    for (const visit of this.visits.values()) {
      const wasIn = visit.stage === "in";
      visit.linkLost();
      if (wasIn) this.tell(visit, [{ kind: "entering" }]);
      if (visit.stage === "leaving") this.answerAll(visit);
    }
  }

  deadline(): number | undefined {
    if (!this.core.link.is("live")) return undefined;
    const answers = [...this.core.pending.values()].map((pending) => (pending.kind === "room" ? pending.answerBy : undefined));
    return earliest(...answers, ...[...this.visits.values()].map((visit) => visit.deadline()));
  }

  /** A connection loses nothing: what is not answered in time is asked for again on another one. */
  timeout(now: number): void {
    const late = [...this.core.pending.values()].filter((pending) => pending.kind === "room" && pending.answerBy <= now) as RoomPending[];
    if (late.length === 0) return;
    for (const { visit, ask } of late) {
      const tried = ask.kind === "task" ? ask.waiting : visit;
      tried.tries += 1;
      if (tried.tries < TRIES_MAX) continue;
      if (ask.kind === "task") this.fallOne(visit, ask.waiting, "noAnswer");
      else this.end(visit, "noAnswer");
    }
    this.core.link.broken(now, "noAnswer");
  }

  pump(now: number): void {
    if (!this.core.link.is("live")) return;
    for (const visit of this.visits.values()) for (const ask of visit.due(now)) this.ask(now, visit, ask);
  }

  private ask(now: number, visit: Visit, ask: Ask): void {
    const { core } = this;
    const { room, name } = visit;
    const id = core.link.nextId();
    core.pending.set(id, { kind: "room", visit, ask, answerBy: now + ANSWER_MS });
    switch (ask.kind) {
      case "enter":
        return core.write(now, Operation.ENTER_ROOM, proto.EnterRoomRequest, { id, room, name });
      case "leave":
        return core.write(now, Operation.LEAVE_ROOM, proto.LeaveRoomRequest, { id, room });
      case "missed": {
        // After 0 would be taken for "the newest".
        const where = visit.lastSeq ? { afterSeq: visit.lastSeq } : { beforeSeq: PAGE_ENTRIES + 1 };
        return core.write(now, Operation.HISTORY, proto.HistoryRequest, { id, room, ...where, limit: PAGE_ENTRIES });
      }
    }
    const { task } = ask.waiting;
    if (task.kind === "older") {
      const { beforeSeq, limit } = task;
      return core.write(now, Operation.HISTORY, proto.HistoryRequest, { id, room, beforeSeq, limit });
    }
    const { clientMessageId, text } = task;
    core.write(now, Operation.SEND, proto.SendRequest, { id, room, clientMessageId, type: proto.BodyType.TEXT, body: utf8(text) });
  }

  notified(notify: proto.RoomNotify): void {
    const visit = this.visits.get(notify.room);
    if (!visit) return;
    this.tell(visit, visit.notified(notify));
    if (visit.isOver) this.end(visit, no(proto.RefusalCode.NOT_FOUND, "the room is closed"));
  }

  /** Whether this was an answer for a room. */
  answered(now: number, answer: { id: number; refusal?: proto.Refusal }): boolean {
    const asked = this.core.forget(answer.id, "room");
    if (!asked) return false;
    const { visit, ask } = asked;
    if (answer.refusal) this.refused(now, visit, ask, answer.refusal);
    else this.accepted(now, visit, ask, answer);
    return true;
  }

  private refused(now: number, visit: Visit, ask: Ask, refusal: proto.Refusal): void {
    if (needsLogin(refusal)) return this.core.link.sessionRefused(now, refusal);
    if (ask.kind === "task") {
      ask.waiting.flies = false;
      if (!Visit.retry(now, ask.waiting, refusal)) this.fallOne(visit, ask.waiting, { refusal });
    } else if (ask.kind === "missed") {
      visit.asksMissed = false;
      visit.missedFrom = now + ANSWER_MS;
    } else if ((ask.kind === "leave") === (visit.stage === "leaving")) {
      visit.asked = false;
      if (!Visit.retry(now, visit, refusal)) this.end(visit, { refusal });
    }
  }

  private accepted(now: number, visit: Visit, ask: Ask, answer: unknown): void {
    if (ask.kind === "leave") return this.end(visit, NOT_IN);
    // It is being left: nobody wants to hear of it any more.
    if (visit.stage === "leaving") return;
    if (ask.kind === "enter") {
      this.tell(visit, visit.entered(answer as proto.EnterRoomAnswer));
      this.answerAll(visit);
    } else if (ask.kind === "missed") this.tell(visit, visit.read(answer as proto.HistoryAnswer));
    else {
      const { waiting } = ask;
      if (waiting.task.kind === "say") {
        const empty = decode(proto.Entry, new Uint8Array(0));
        this.tell(visit, visit.said(now, waiting.task, answer as proto.SendAnswer, empty));
      }
      visit.forget(waiting);
      this.answer(waiting.task.token, answer);
    }
  }

  private tell(visit: Visit, all: Told[]): void {
    for (const told of all) this.core.tell({ kind: "room", room: visit.room, name: visit.name, told });
  }

  private answer(token: number, answer: unknown): void {
    this.core.tell({ kind: "answered", token, result: { answer } });
  }

  private answerAll(visit: Visit): void {
    for (const token of visit.tokens.splice(0)) this.answer(token, undefined);
  }

  private fall(token: number, error: RequestError): void {
    this.core.tell({ kind: "answered", token, result: { error } });
  }

  private fallOne(visit: Visit, waiting: Waiting, error: RequestError): void {
    visit.forget(waiting);
    this.fall(waiting.task.token, error);
  }

  private fallAll(visit: Visit, error: RequestError): void {
    for (const token of visit.tokens.splice(0)) this.fall(token, error);
    for (const waiting of [...visit.waiting]) this.fallOne(visit, waiting, error);
  }
}

/** Named clients on a stage with a virtual clock: their cores, their stores, and the lines between them and the server. */
import { expect } from "vitest";
import { about, to } from "../../src/core/alias";
import { Core, earliest, type Config } from "../../src/core/core";
import type { Event, Request } from "../../src/core/event";
import { Groups } from "../../src/core/groups";
import { MemoryStore } from "../../src/shell/store";
import { type Init, utf8 } from "../../src/wire/codec";
import type { Conversation, Entry, SendRequest } from "../../src/wire/proto";
import { Server } from "./server";

const text = (entry: Entry) => new TextDecoder().decode(entry.body);

/** One device of a user. */
export class Actor {
  core!: Core;
  readonly store = new MemoryStore();
  line: number | undefined;
  out: Uint8Array[] = [];
  /** Everything that was told, across restarts. */
  told: Event[] = [];
  dialsFail = false;
  /** Dies before the next rows of this kind are kept. */
  dieBeforeKeepingMessages = false;
  died = false;
  written = 0;
  private shown = new Set<string>();
  private lastShown = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly config: Config,
  ) {}

  hear(event: Event): void {
    if (event.kind === "message" || (event.kind === "outgoing" && event.entry)) {
      const entry = event.entry!;
      const user = event.kind === "message" ? event.user : about(event.row.request);
      if (this.shown.has(`${user} ${entry.seq}`)) throw new Error(`${this.name} shows ${user} ${entry.seq} twice`);
      this.shown.add(`${user} ${entry.seq}`);
      if (event.kind === "message" && !entry.own) {
        expect(entry.seq).toBeGreaterThan(this.lastShown.get(user) ?? 0);
        this.lastShown.set(user, entry.seq);
      }
    }
    this.told.push(event);
  }

  /** What a screen shows after reading the store. */
  screen(user: string): string[] {
    return this.store.entriesOf(user, 0, Infinity, 1_000_000).map(text);
  }

  /** Texts in the order in which they were told. */
  heard(): string[] {
    return this.told.flatMap((event) => (event.kind === "message" ? [text(event.entry)] : []));
  }

  get isLive(): boolean {
    return this.core.link.is("live");
  }

  stored(): number {
    return this.told.filter((event) => event.kind === "outgoing" && event.entry).length;
  }

  outbox(): ReturnType<MemoryStore["restored"]>["outbox"] {
    return this.store.restored().outbox;
  }

  failed(): number {
    return this.outbox().filter((row) => row.state.kind === "failed").length;
  }

  conversation(user: string): Conversation {
    return this.core.conversations.row(user)!.conversation;
  }

  receipt(user: string): [number, number] {
    const { peerDeliveredSeq, peerReadSeq } = this.conversation(user);
    return [peerDeliveredSeq, peerReadSeq];
  }

  count(kind: Event["kind"]): number {
    return this.told.filter((event) => event.kind === kind).length;
  }
}

export class World {
  now = 1_000_000;
  server = new Server();
  actors: Actor[] = [];

  constructor(...names: string[]) {
    for (const name of names) this.add(name);
  }

  /** Adds a device of a user. */
  add(name: string): Actor {
    const number = this.actors.length;
    const deviceId = new Uint8Array(8).fill(number + 1);
    const actor = new Actor(name, { app: "app", client: "test", deviceId, syncEntries: 7, seed: number + 1 });
    this.actors.push(actor);
    this.begin(actor);
    return actor;
  }

  begin(actor: Actor): void {
    actor.core = new Core(actor.config, actor.store.restored(), Groups);
    actor.core.credential = { token: actor.name };
    actor.core.start(this.now);
  }

  send(actor: Actor, user: string, text: string, seenSeq = 0, more: Init<SendRequest> = {}): number {
    const clientMessageId = new Uint8Array(16).fill(actor.config.deviceId[0]!);
    new DataView(clientMessageId.buffer).setUint32(0, ++actor.written);
    return actor.core.send(this.now, { ...to(user), clientMessageId, body: utf8(text), seenSeq, ...more }, 0)!.local;
  }

  request(actor: Actor, token: number, request: Request): void {
    actor.core.request(this.now, token, request);
  }

  /** The tab dies and another one starts from its store. */
  restart(actor: Actor): void {
    if (actor.line !== undefined) this.server.close(actor.line);
    actor.line = undefined;
    actor.out = [];
    actor.config.seed += 1000;
    this.begin(actor);
  }

  /** Lets everything happen that needs no time. */
  settle(): void {
    for (let turns = 0; turns < 100_000; turns++) {
      let moved = false;
      for (const actor of this.actors) moved = this.turn(actor) || moved;
      if (!moved) return;
    }
    throw new Error("the play does not come to rest");
  }

  private turn(actor: Actor): boolean {
    const { rows, effects, frames, events } = actor.core.take();
    let moved = rows.length + effects.length + frames.length + events.length > 0;
    if (actor.dieBeforeKeepingMessages && rows.some((row) => row.kind === "message")) {
      actor.dieBeforeKeepingMessages = false;
      actor.died = true;
      this.restart(actor);
      return true;
    }
    // A copy, as a database makes it: what the core changes later must not change what was kept.
    if (rows.length) actor.store.keep(structuredClone(rows));
    for (const effect of effects) {
      if (actor.line !== undefined) this.server.close(actor.line);
      actor.line = undefined;
      actor.out = [];
      if (effect === "disconnect") continue;
      if (actor.dialsFail) actor.core.disconnected(this.now);
      else {
        actor.line = this.server.accept();
        actor.core.connected(this.now, false);
      }
    }
    actor.out.push(...frames);
    for (const event of events) actor.hear(event);
    if (actor.line === undefined) return moved;
    for (const frame of actor.out.splice(0)) this.server.receive(actor.line, frame);
    const { frames: answers, open } = this.server.takeOutput(actor.line);
    if (answers.length) {
      moved = true;
      actor.core.received(this.now, Buffer.concat(answers));
    }
    if (!open) {
      moved = true;
      this.server.close(actor.line);
      actor.line = undefined;
      actor.core.disconnected(this.now);
    }
    return moved;
  }

  /** Lets time pass, stopping at every deadline. */
  pass(millis: number): void {
    const end = this.now + millis;
    this.settle();
    for (;;) {
      const next = earliest(...this.actors.map((actor) => actor.core.deadline()));
      if (next === undefined || next > end) break;
      this.now = Math.max(next, this.now);
      for (const { core } of this.actors) {
        const before = core.deadline();
        if (before === undefined || before > this.now) continue;
        core.timeout(this.now);
        const after = core.deadline();
        expect(after === undefined || after > this.now || after !== before, "a timer must move on").toBe(true);
      }
      this.settle();
    }
    this.now = end;
    this.settle();
  }
}

/** An actor in a room, and what its screen would show: each entry once and in order, or the test fails. */
import type { RequestError } from "../../src/core/event";
import { utf8 } from "../../src/wire/codec";
import type { Entry, Refusal } from "../../src/wire/proto";
import type { Actor, World } from "./world";

const text = ({ body }: Entry) => new TextDecoder().decode(body);

export class Guest {
  state = "out";
  refusal: Refusal | undefined;
  names: string[] = [];
  entries: Entry[] = [];
  /** Answers by token. */
  readonly answers = new Map<number, { answer: any } | { error: RequestError }>();
  private seen = 0;
  private token = 0;
  private seq = 0;

  constructor(
    private readonly world: World,
    readonly actor: Actor,
    readonly room: string,
    readonly name: string,
  ) {}

  private ask(act: (rooms: Actor["core"]["rooms"], token: number) => void): number {
    const token = ++this.token;
    this.actor.core.room(this.world.now, (rooms) => act(rooms, token));
    return token;
  }

  enter = (seq?: number) => this.ask((rooms, token) => rooms.enter(token, this.room, this.name, seq));
  leave = () => this.ask((rooms, token) => rooms.leave(token, this.room));

  say(words: string): number {
    const clientMessageId = new Uint8Array(16);
    clientMessageId.set(utf8(words).subarray(0, 16));
    return this.ask((rooms, token) => rooms.add(this.room, { kind: "say", token, clientMessageId, text: words }));
  }

  older = (beforeSeq: number, limit: number) => this.ask((rooms, token) => rooms.add(this.room, { kind: "older", token, beforeSeq, limit }));

  /** Reads what was told since. */
  look(): this {
    for (const event of this.actor.told.slice(this.seen)) {
      if (event.kind === "answered") this.answers.set(event.token, event.result);
      if (event.kind !== "room" || event.name !== this.name) continue;
      const { told } = event;
      if (told.kind === "out" || told.kind === "entering" || told.kind === "in") this.state = told.kind;
      if (told.kind === "out") this.refusal = told.refusal;
      if (told.kind === "in" || told.kind === "names") this.names = told.names;
      if (told.kind === "reset") {
        this.entries = [];
        this.seq = told.seq;
      }
      if (told.kind === "entries") for (const entry of told.entries) this.show(entry);
    }
    this.seen = this.actor.told.length;
    return this;
  }

  private show(entry: Entry): void {
    if (entry.seq <= this.seq) throw new Error(`${this.name} shows ${entry.seq} after ${this.seq}`);
    this.seq = entry.seq;
    this.entries.push(entry);
  }

  get texts(): string[] {
    return this.look().entries.map(text);
  }

  /** Own ones in capitals, so to speak. */
  get lines(): string[] {
    return this.look().entries.map((entry) => `${entry.own ? "*" : ""}${entry.from}: ${text(entry)}`);
  }
}

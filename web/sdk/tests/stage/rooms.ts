/** The rooms of the tiny server: who is in under which name and over which line, and what was said. */
import { decode, encode, type Init } from "../../src/wire/codec";
import * as proto from "../../src/wire/proto";

interface Member {
  name: string;
  line: number;
}

interface Room {
  /** By session. */
  members: Map<number, Member>;
  log: proto.Entry[];
  known: Map<string, proto.SendAnswer>;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const refusal = (code: number): proto.Refusal => ({ code, text: "", retryable: false, retryAfterMs: 0 });
const empty = (): proto.Entry => decode(proto.Entry, new Uint8Array(0));

export class Rooms {
  private readonly rooms = new Map<string, Room>();
  charactersMax = 140;
  /** Answers to texts instead of storing them, in order. */
  refuseTexts: proto.Refusal[] = [];
  textsReceived = 0;

  constructor(private readonly notify: (line: number, message: Init<proto.RoomNotify>) => void) {}

  open(name: string): void {
    this.rooms.set(name, { members: new Map(), log: [], known: new Map() });
  }

  names(room: string): string[] {
    return [...this.rooms.get(room)!.members.values()].map(({ name }) => name);
  }

  texts(room: string): string[] {
    return this.rooms.get(room)!.log.map(({ body }) => new TextDecoder().decode(body));
  }

  private tell(name: string, message: Init<proto.RoomNotify>): void {
    for (const { line } of this.rooms.get(name)!.members.values()) this.notify(line, { room: name, ...message });
  }

  enter(line: number, session: number, asked: proto.EnterRoomRequest): Init<proto.EnterRoomAnswer> {
    const { room: name } = asked;
    const as = asked.name.trim();
    const room = this.rooms.get(name);
    if (!room) return { refusal: refusal(proto.RefusalCode.NOT_FOUND) };
    const taken = [...room.members].some(([other, member]) => member.name === as && other !== session);
    if (taken) return { refusal: refusal(proto.RefusalCode.CONFLICT) };
    // Nobody is told about themselves.
    if (!room.members.has(session)) this.tell(name, { entered: [as] });
    room.members.set(session, { name: as, line });
    const names = [as, ...this.names(name).filter((other) => other !== as)];
    return { names, headSeq: room.log.length, textCharactersMax: this.charactersMax };
  }

  /** Says only that something was not said. */
  skip(name: string): void {
    this.tell(name, {});
  }

  /** The room is removed under those who are in it. */
  close(name: string): void {
    this.tell(name, { left: this.names(name) });
    this.rooms.delete(name);
  }

  leave(session: number, name: string): void {
    const member = this.rooms.get(name)?.members.get(session);
    if (!member) return;
    this.rooms.get(name)!.members.delete(session);
    this.tell(name, { left: [member.name] });
  }

  /** Half a minute has passed: whoever has no connection is out. */
  expire(isOpen: (line: number) => boolean): void {
    for (const [name, { members }] of this.rooms) for (const [session, { line }] of [...members]) if (!isOpen(line)) this.leave(session, name);
  }

  send(session: number, { room: name, clientMessageId, body }: proto.SendRequest): Init<proto.SendAnswer> {
    this.textsReceived++;
    const room = this.rooms.get(name!);
    const member = room?.members.get(session);
    if (!room || !member) return { refusal: refusal(proto.RefusalCode.NOT_FOUND) };
    const no = this.refuseTexts.shift();
    if (no) return { refusal: no };
    const key = `${session} ${hex(clientMessageId)}`;
    const known = room.known.get(key);
    if (known) return known;
    const seq = this.say(name!, member.name, body);
    const answer = { ...decode(proto.SendAnswer, new Uint8Array(0)), seq, serverTimeMs: seq };
    room.known.set(key, answer);
    return answer;
  }

  /** Also for what no client of the play has said. */
  say(name: string, from: string, body: Uint8Array, isTold = true): number {
    const { log } = this.rooms.get(name)!;
    const entry = { ...empty(), seq: log.length + 1, serverTimeMs: log.length + 1, from, body };
    log.push(entry);
    if (isTold) this.tell(name, { entries: [entry] });
    return entry.seq;
  }

  /** Everything that was said is gone, as when a server without a disk starts again. */
  forget(name: string): void {
    this.open(name);
  }

  history(session: number, { room: name, beforeSeq, afterSeq, limit }: proto.HistoryRequest): Init<proto.HistoryAnswer> {
    const room = this.rooms.get(name);
    const member = room?.members.get(session);
    if (!room || !member) return { refusal: refusal(proto.RefusalCode.NOT_FOUND) };
    const above = afterSeq ? afterSeq : Math.max((beforeSeq || Infinity) === Infinity ? room.log.length - limit : Math.min(beforeSeq - 1, room.log.length) - limit, 0);
    const to = afterSeq ? Math.min(afterSeq + limit, room.log.length) : Math.min((beforeSeq || Infinity) - 1, room.log.length);
    const entries = room.log.slice(above, to).map((entry) => decode(proto.Entry, encode(proto.Entry, { ...entry, own: entry.from === member.name })));
    return { entries, ...(above < to ? { coveredFrom: above + 1, coveredTo: to } : {}), asOf: room.log.length, lowSeq: 1 };
  }
}

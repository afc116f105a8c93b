/**
 * One open conversation: which stretch of it is in memory, where reading began, and what is loaded next. Knows nothing
 * of pixels; the list tells it when it comes near an end and what has been seen.
 */
import type { Client, Conversation, Message, Page } from "@hongyan/sdk";
import { partsOf } from "./names.js";
import { append, bounded, EMPTY, fromPage, hasOlder, indexOfSeq, prepend, put, type Segment, without } from "./segment.js";
import { Signal } from "./signal.js";

/** Messages asked for at once. */
const PAGE_MESSAGES = 60;
/** New messages that are followed before the list has been drawn again. Nobody reads more at once: then it stays where it is. */
export const UNSEEN_MAX = 2 * PAGE_MESSAGES;
/** After a page could not be had, the next attempt waits this long. */
const RETRY_MS = 3_000;
/** Pages asked for to close a hole towards newer messages before starting over at the newest. */
const CLOSING_PAGES_MAX = 4;
/** The only page of a conversation that does not exist yet. */
const NOTHING: Page = { messages: [], from: 1, to: 0, low: 1 };

const isUnread = (readSeq: number) => (message: Message) => !message.own && !message.event && (message.seq ?? 0) > readSeq;

export interface View {
  phase: "loading" | "ready" | "failed";
  segment: Segment;
  /** The line "New messages" stands above the first message of the other person from here on. */
  newFrom?: number;
  /** Where a fresh list begins: at its end, or at a message. */
  start: { at: "end" } | { at: "seq"; seq: number; mark: boolean };
  /** Rises when the list must be built afresh, because it shows another stretch. */
  generation: number;
  loadingOlder: boolean;
}

export class Timeline {
  /** Of the conversation, as in `names.ts`. */
  readonly id: string;
  readonly user: string;
  readonly view = new Signal<View>({ phase: "loading", segment: EMPTY, start: { at: "end" }, generation: 0, loadingOlder: false });
  /** What this account said as a visitor. */
  readonly #asVisitor: string | undefined;
  #client: Client;
  #conversation: () => Conversation | undefined;
  /** What came while a page was on its way. */
  #missed: Message[] = [];
  #loading = 0;
  #loadingNewer = false;
  /** A message keeps the key of its first appearance when the server numbers it, so that its row is not built anew. */
  #keys = new Map<number, number>();
  #marked = 0;
  /** Somebody reads the end of what is in memory. */
  #atEnd = true;
  /** New ones since the list was drawn, and where they begin. */
  #unseen = { count: 0, from: 0 };
  #notBefore = 0;
  /** Messages that are quoted but lie outside of the segment; null if there is no such message any more. */
  readonly quotes = new Signal<ReadonlyMap<number, Message | null>>(new Map());

  constructor(client: Client, id: string, conversation: () => Conversation | undefined) {
    const { user, asVisitor } = partsOf(id);
    this.#client = client;
    this.id = id;
    this.user = user;
    this.#asVisitor = asVisitor;
    this.#conversation = conversation;
  }

  /** Nothing can be said or changed here. */
  get readOnly(): boolean {
    return this.#asVisitor !== undefined || this.#conversation()?.readOnly === true;
  }

  /** A seq, or below zero the local number; a number, because a list asks thousands of times. */
  key(message: Message): number {
    if (message.seq === undefined) return -(message.local ?? 0);
    return this.#keys.get(message.seq) ?? message.seq;
  }

  /** Loads the newest page, or the one around the first unread message if it is further up. */
  async open(): Promise<void> {
    const conversation = this.#conversation();
    const behind = conversation && conversation.unread > 0 && conversation.readSeq < conversation.headSeq;
    if (behind && conversation.headSeq - conversation.readSeq > PAGE_MESSAGES / 2) {
      await this.#around(conversation.readSeq + 1, false, conversation.readSeq);
    } else await this.#newest(behind ? conversation.readSeq : undefined);
  }

  latest(): Promise<void> {
    return this.#newest(undefined);
  }

  /** Shows a message that may be far away. */
  async jump(seq: number): Promise<void> {
    await this.#around(seq, true, undefined);
  }

  holds(seq: number): number | undefined {
    const { messages } = this.view.get().segment;
    const index = indexOfSeq(messages, seq);
    return messages[index]?.seq === seq ? index : undefined;
  }

  /** Makes a quoted message known that is not in the segment. */
  async quote(seq: number): Promise<void> {
    if (this.quotes.get().has(seq) || this.holds(seq) !== undefined) return;
    const page = await this.#page({ before: seq + 1, limit: 1 });
    if (page) this.quotes.update((known) => new Map(known).set(seq, page.messages.find((message) => message.seq === seq) ?? null));
  }

  async older(): Promise<void> {
    const { segment, phase, loadingOlder } = this.view.get();
    if (phase !== "ready" || loadingOlder || !hasOlder(segment) || Date.now() < this.#notBefore) return;
    this.#patch({ loadingOlder: true });
    const page = await this.#page({ before: segment.from, limit: PAGE_MESSAGES });
    const now = this.view.get().segment;
    if (page && now.from === segment.from) this.#patch({ loadingOlder: false, segment: prepend(now, page) });
    else this.#patch({ loadingOlder: false });
  }

  async newer(): Promise<void> {
    const { segment, phase, generation } = this.view.get();
    if (phase !== "ready" || this.#loadingNewer || segment.atHead || Date.now() < this.#notBefore) return;
    this.#loadingNewer = true;
    this.#loading += 1;
    try {
      const head = this.#conversation()?.headSeq ?? 0;
      const last = segment.to + PAGE_MESSAGES >= head;
      let before = last ? undefined : segment.to + 1 + PAGE_MESSAGES;
      const pages: Page[] = [];
      for (let asked = 0; asked < CLOSING_PAGES_MAX; asked += 1) {
        const page = await this.#page({ before, limit: PAGE_MESSAGES });
        if (!page) return;
        pages.unshift(page);
        if (page.from <= segment.to + 1) break;
        before = page.from;
      }
      if (this.view.get().generation !== generation) return;
      if ((pages[0]?.from ?? 0) > segment.to + 1) return void (await this.latest());
      let grown = this.view.get().segment;
      for (const page of pages) grown = append(grown, page, last);
      this.#patch({ segment: grown });
    } finally {
      this.#loadingNewer = false;
      this.#loading -= 1;
      this.#catchUp();
    }
  }

  /** A message is new or has changed. `watched` says that somebody looks at the end of the list. */
  take(message: Message, watched: boolean): void {
    if (message.local !== undefined && message.seq !== undefined) this.#keys.set(message.seq, -message.local);
    if (this.#loading > 0) this.#missed.push(message);
    const { segment, newFrom } = this.view.get();
    const isNew = message.seq !== undefined && message.seq > segment.to;
    if (isNew && segment.atHead && message.local === undefined && this.#floods(message.seq ?? 0)) {
      return this.#patch({ segment: { ...segment, atHead: false }, newFrom: newFrom ?? this.#unseen.from });
    }
    // An own message is gone to, wherever one was reading.
    const patch: Partial<View> = { segment: bounded(put(segment, message), this.#atEnd || message.local !== undefined) };
    if (isNew && message.own) patch.newFrom = undefined;
    else if (isNew && !watched && newFrom === undefined && !message.event) patch.newFrom = message.seq;
    this.#patch(patch);
  }

  drop(gone: { seq?: number; local?: number }): void {
    this.#patch({ segment: without(this.view.get().segment, gone) });
  }

  /** The person has seen everything up to here. */
  seen(seq: number): void {
    const known = this.#conversation()?.readSeq ?? 0;
    if (seq <= Math.max(known, this.#marked) || this.#asVisitor !== undefined) return;
    this.#marked = seq;
    this.#client.markRead(this.user, seq);
  }

  /** The list has been drawn, and says whether its end is in the window. */
  reads(atEnd: boolean): void {
    this.#atEnd = atEnd;
    this.#unseen.count = 0;
  }

  /** More is new than anybody can follow: somebody has come back after a long time. */
  #floods(seq: number): boolean {
    if (this.#unseen.count === 0) this.#unseen.from = seq;
    this.#unseen.count += 1;
    return this.#unseen.count > UNSEEN_MAX;
  }

  clearLine(): void {
    this.#patch({ newFrom: undefined });
  }

  async #newest(readSeq: number | undefined): Promise<void> {
    await this.#replace({ limit: PAGE_MESSAGES }, true, (segment) => {
      const first = readSeq === undefined ? undefined : segment.messages.find(isUnread(readSeq))?.seq;
      return { newFrom: first, start: first === undefined ? { at: "end" } : { at: "seq", seq: first, mark: false } };
    });
  }

  async #around(seq: number, mark: boolean, readSeq: number | undefined): Promise<void> {
    const head = this.#conversation()?.headSeq ?? 0;
    const before = seq + PAGE_MESSAGES / 2;
    await this.#replace({ before: before > head ? undefined : before, limit: PAGE_MESSAGES }, before > head, (segment) => {
      const found = segment.messages[Math.min(indexOfSeq(segment.messages, seq), segment.messages.length - 1)]?.seq ?? seq;
      const newFrom = readSeq === undefined ? undefined : segment.messages.find(isUnread(readSeq))?.seq;
      return { newFrom, start: { at: "seq", seq: newFrom ?? found, mark } };
    });
  }

  async #replace(ask: { before?: number; limit: number }, atHead: boolean, place: (segment: Segment) => Partial<View>): Promise<void> {
    this.#loading += 1;
    const generation = this.view.get().generation + 1;
    if (this.view.get().phase !== "ready") this.#patch({ phase: "loading" });
    const page = await this.#page(ask);
    this.#loading -= 1;
    if (this.view.get().generation >= generation) return;
    if (page) {
      const segment = fromPage(page, atHead);
      const placed = place(segment);
      this.#atEnd = placed.start?.at === "end";
      this.#patch({ phase: "ready", segment, generation, loadingOlder: false, ...placed });
    } else if (this.view.get().phase !== "ready") this.#patch({ phase: "failed" });
    this.#catchUp();
  }

  #catchUp(): void {
    if (this.#loading > 0) return;
    const missed = this.#missed.splice(0);
    let { segment } = this.view.get();
    for (const message of missed) segment = put(segment, message);
    this.#patch({ segment: bounded(segment, this.#atEnd) });
  }

  /** A page, or nothing if it cannot be had now. */
  async #page(ask: { before?: number; limit: number }): Promise<Page | undefined> {
    try {
      const asVisitor = this.#asVisitor;
      return await this.#client.history(this.user, asVisitor === undefined ? ask : { ...ask, asVisitor });
    } catch (error) {
      // Nobody has written here yet; whether there is such a person is told when somebody writes.
      if ((error as { code?: string } | undefined)?.code === "not_found") return NOTHING;
      this.#notBefore = Date.now() + RETRY_MS;
      return undefined;
    }
  }

  /** Most of what comes while somebody reads elsewhere in a long conversation changes nothing, and must cost nothing. */
  #patch(patch: Partial<View>): void {
    this.view.update((view) => (Object.entries(patch).some(([key, value]) => view[key as keyof View] !== value) ? { ...view, ...patch } : view));
  }
}

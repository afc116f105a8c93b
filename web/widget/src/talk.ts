/**
 * The talk of one visitor with one merchant: whether there is a connection at all, which messages there are, what is
 * unread. Knows no DOM; the views read it and are told when it has changed.
 *
 * Nothing is connected, opened or stored before the visitor says something. Who has spoken before is known by the mark
 * that the site's own storage keeps, and connects at once, so that answers arrive.
 */
import type { Client, Conversation, Link, Message, SendState } from "@hongyan/sdk";

const PAGE_MESSAGES = 40;
/** Nobody reads more in a small window; then the page grows no further. */
const MESSAGES_MAX = 1_000;
/** Marks that the server does not take any more: the next login begins a new visitor. */
const USELESS = ["unauthenticated", "conflict"];

/** A message that was written before there was a visitor to send it. */
export interface Unsent {
  id: number;
  text: string;
  time: number;
  state: "sending" | "failed";
  /** The client has it and is about to tell of it. */
  handed: boolean;
}

export interface Ways {
  /** Makes the client; called once, when it is needed. */
  client(): Client;
  /** There is a visitor to go on as. */
  isKnown(): boolean;
  /** Where the visitor is now. */
  place(): { page: string; referrer: string };
  clock(): number;
}

export class Talk {
  link: Link = { state: "idle" };
  /** The visitor has spoken, now or at an earlier visit. */
  begun = false;
  /** The server has ended the session: what is written next begins anew. */
  ended = false;
  typing = false;
  unread = 0;
  unsent: Unsent[] = [];
  /** There is something above the first message. */
  hasOlder = false;
  loading = false;
  /** Told once for each message that comes while nobody looks. */
  onNews: (message: Message) => void = () => undefined;
  /** Something above has changed. */
  onChange: () => void = () => undefined;

  private client: Client | undefined;
  private arriving: Promise<void> | undefined;
  private conversation: Conversation | undefined;
  private readonly numbered = new Map<number, Message>();
  private readonly waiting = new Map<number, Message>();
  /** A message keeps the key of its first appearance, so that its place on the screen is not built anew. */
  private readonly keys = new Map<number, string>();
  /** Local numbers of own messages that have got their place. */
  private readonly settled = new Set<number>();
  private from = 0;
  /** A page has come. */
  private loaded = false;
  private ids = 0;
  private looking = false;

  constructor(
    private readonly merchant: string,
    private readonly ways: Ways,
  ) {}

  /** At load, and when another tab has begun to speak: goes on as the visitor of an earlier visit, if there is one. */
  async resume(): Promise<void> {
    if (this.begun || !this.ways.isKnown()) return;
    this.begin();
    await this.load();
    // A refusal has thrown the mark away: somebody who has not spoken yet.
    await this.arrive().catch(() => this.rest());
  }

  /** All messages, the oldest first. */
  get messages(): Message[] {
    const numbered = [...this.numbered.values()].sort((a, b) => a.seq! - b.seq!);
    return [...numbered, ...[...this.waiting.values()].sort((a, b) => a.local! - b.local!)];
  }

  keyOf({ seq, local }: Message): string {
    return (seq === undefined ? undefined : this.keys.get(seq)) ?? (seq === undefined ? `l${local}` : `s${seq}`);
  }

  /** Where an own message stands as of now. */
  stateOf({ own, seq, state }: Message): SendState | undefined {
    if (!own || seq === undefined || !this.conversation) return state;
    const { theirReadSeq, deliveredSeq } = this.conversation;
    return seq <= theirReadSeq ? "read" : seq <= deliveredSeq ? "delivered" : (state ?? "sent");
  }

  message(seq: number): Message | undefined {
    return this.numbered.get(seq);
  }

  /** Says something, as a new visitor if there is none yet. */
  async say(text: string): Promise<void> {
    const unsent: Unsent = { id: ++this.ids, text, time: this.ways.clock(), state: "sending", handed: false };
    this.unsent.push(unsent);
    await this.hand(unsent);
  }

  async retry(unsent: Unsent): Promise<void> {
    unsent.state = "sending";
    await this.hand(unsent);
  }

  async resend(message: Message): Promise<void> {
    await this.client?.resend(message.local!).catch(() => undefined);
  }

  private async hand(unsent: Unsent): Promise<void> {
    this.begin();
    this.changed();
    try {
      if (!this.client!.user || this.ended) await this.arriveAnew();
      unsent.handed = true;
      // The event by which it moves from `unsent` to `messages` has come before this resolves.
      await this.client!.send(this.merchant, unsent.text);
    } catch {
      unsent.handed = false;
      unsent.state = "failed";
    }
    this.changed();
  }

  tellTyping(stopped: boolean): void {
    if (this.client?.user && !this.ended) this.client.typing(this.merchant, stopped);
  }

  /** Somebody looks at the open panel, or does not any more. */
  look(looking: boolean): void {
    this.looking = looking;
    this.client?.look(looking ? this.merchant : undefined);
    this.read();
  }

  /** Loads what is above. */
  async older(): Promise<void> {
    if (!this.client || !this.hasOlder || this.loading || this.numbered.size >= MESSAGES_MAX) return;
    this.loading = true;
    await this.load(this.from);
    this.loading = false;
    this.changed();
  }

  close(): void {
    this.client?.close();
  }

  /** From now on there is a client. */
  private begin(): void {
    this.begun = true;
    if (this.client) return;
    const client = this.ways.client();
    this.client = client;
    const mine = <T extends { user: string }>(act: (value: T) => void) => (value: T) => value.user === this.merchant && act(value);
    client.on("link", (link) => this.moved(link));
    client.on("signedIn", () => {
      this.ended = false;
      this.changed();
    });
    client.on("conversation", mine((conversation) => this.know(conversation)));
    client.on("message", mine((message) => this.take(message)));
    client.on("gone", mine(({ seq, local }) => this.drop(seq, local)));
    client.on("typing", mine(({ stopped }) => this.typed(!stopped)));
    client.on("notify", mine((message) => this.onNews(message)));
    client.on("reset", () => void this.reload());
    client.on("caughtUp", () => void (this.loaded || this.load()));
    if (this.looking) this.look(true);
  }

  /** As if nobody had ever spoken. */
  private rest(): void {
    this.begun = this.unsent.length > 0;
    this.numbered.clear();
    this.unread = 0;
    this.changed();
  }

  private arrive(): Promise<void> {
    this.arriving ??= this.client!.signIn({ visitor: this.ways.place() }).finally(() => (this.arriving = undefined));
    return this.arriving;
  }

  /** As a new visitor, if the mark is of no use. */
  private async arriveAnew(): Promise<void> {
    await this.arrive().catch((error: { code?: string }) => {
      if (USELESS.includes(error?.code ?? "")) return this.arrive();
      throw error;
    });
    this.ended = false;
  }

  private moved(link: Link): void {
    this.link = link;
    const reason = link.state === "stopped" ? link.reason?.kind : undefined;
    // The tab that takes over after another one holds no credential, but the mark.
    if (reason === "refused" && this.ways.isKnown() && !this.arriving) void this.arrive().catch(() => this.rest());
    else if (reason && reason !== "refused") this.ended = true;
    this.changed();
  }

  private know(conversation: Conversation): void {
    this.conversation = conversation;
    this.unread = conversation.unread;
    this.read();
    this.changed();
  }

  private read(): void {
    if (!this.looking || !this.conversation || !this.client) return;
    const { unread, headSeq } = this.conversation;
    if (unread > 0) this.client.markRead(this.merchant, headSeq);
  }

  private take(message: Message): void {
    const { seq, local, own } = message;
    if (!own) this.typing = false;
    if (local !== undefined && !this.waiting.has(local) && !this.settled.has(local)) this.handedOver(message.text);
    if (seq !== undefined) {
      if (local !== undefined) {
        this.waiting.delete(local);
        this.settled.add(local);
        this.keys.set(seq, `l${local}`);
      }
      if (this.numbered.size === 0) this.from = seq;
      if (seq >= this.from) this.numbered.set(seq, message);
    } else this.waiting.set(local!, message);
    this.changed();
  }

  /** What stood here until the client had it, does so no more. */
  private handedOver(text: string): void {
    const at = this.unsent.findIndex((unsent) => unsent.handed && unsent.text === text);
    if (at >= 0) this.unsent.splice(at, 1);
  }

  private drop(seq: number | undefined, local: number | undefined): void {
    if (seq !== undefined) this.numbered.delete(seq);
    if (local !== undefined) this.waiting.delete(local);
    this.changed();
  }

  private typed(typing: boolean): void {
    this.typing = typing;
    this.changed();
  }

  private async reload(): Promise<void> {
    this.numbered.clear();
    this.waiting.clear();
    this.keys.clear();
    this.settled.clear();
    this.loaded = false;
    this.conversation = undefined;
    this.unread = 0;
    await this.load();
  }

  /** The newest page, or the one below `before`. Without a connection there is what was kept, or nothing. */
  private async load(before?: number): Promise<void> {
    try {
      const page = await this.client!.history(this.merchant, { limit: PAGE_MESSAGES, ...(before ? { before } : {}) });
      // What has come with the inbox meanwhile has no gaps.
      this.from = this.numbered.size > 0 ? Math.min(this.from, page.from) : page.from;
      this.hasOlder = this.from > Math.max(page.low, 1);
      this.loaded ||= page.messages.length > 0;
      for (const message of page.messages) this.take(message);
    } catch {
      // Tried again when it is caught up, or when somebody scrolls up once more.
    }
    const known = (await this.client!.conversations().catch(() => [])).find(({ user }) => user === this.merchant);
    if (known) this.know(known);
    this.changed();
  }

  private changed(): void {
    this.onChange();
  }
}

/**
 * A `Client` without a server: people of the script answer after a moment, and everything is forgotten on reload. For
 * `vite --mode demo`, screenshots and component tests; nothing of it is in the product's bundle.
 */
import type { Client, Conversation, Credential, Events, Link, Message, Page, SendOptions, SendState } from "@hongyan/sdk";
import { demoGroups } from "./groups.js";
import { ANSWERS, ARCHIVE, archived, ME, MEMBERS, type Script, SCRIPTS } from "./script.js";

const MINUTE_MS = 60_000;
const LATE_MS = 2 * MINUTE_MS;

interface Log {
  conversation: Conversation;
  messages: Map<number, Message>;
  pending: Message[];
  removed: Set<number>;
}

export interface DemoOptions {
  signedIn?: boolean;
  /** How long the server seems to think. 0 answers at once, and nobody answers by themselves. */
  paceMs?: number;
}

export class DemoClient implements Client {
  link: Link = { state: "idle" };
  user: string | undefined;
  readonly groups = demoGroups(this);
  #logs = new Map<string, Log>();
  #drafts = new Map<string, string>([["Sofia_Lindqvist", "About the invoice: could we"]]);
  #handlers = new Map<string, Set<(value: never) => void>>();
  #local = 1;
  #activity = 1_000;
  #looking: string | undefined;
  #pace: number;
  #signedIn: boolean;
  #now = Date.now();

  constructor({ signedIn = true, paceMs = 450 }: DemoOptions = {}) {
    this.#pace = paceMs;
    this.#signedIn = signedIn;
    for (const [index, script] of SCRIPTS.entries()) this.#logs.set(script.user, this.#written(script, 900 - index));
    this.#logs.set(ARCHIVE.user, this.#archive());
  }

  async start(): Promise<boolean> {
    if (!this.#signedIn) return false;
    await this.#enter(ME);
    return true;
  }

  async signIn(credential: Credential): Promise<void> {
    await this.#wait();
    const user = "user" in credential ? credential.user : ME;
    if ("password" in credential && credential.password === "wrong-password") throw { code: "unauthenticated", text: "", retryable: false, retryAfterMs: 0 };
    await this.#enter(user);
  }

  async claimVisitor(): Promise<string> {
    throw "offline";
  }

  async signOut(): Promise<void> {
    this.user = undefined;
    this.setLink({ state: "stopped", reason: { kind: "signed-out" } });
  }

  async close(): Promise<void> {}

  async send(user: string, text: string, options: SendOptions = {}): Promise<Message> {
    const message = { ...blank(user), own: true, text, time: Date.now(), local: this.#local++, state: "sending" as SendState, ...options };
    this.#log(user).pending.push(message);
    this.emit("message", message);
    void this.#deliver(message);
    return message;
  }

  async resend(local: number): Promise<void> {
    for (const log of this.#logs.values()) {
      const message = log.pending.find((other) => other.local === local);
      if (message) void this.#deliver({ ...message, state: "sending" });
    }
  }

  async discard(local: number): Promise<void> {
    for (const [user, log] of this.#logs) {
      const index = log.pending.findIndex((other) => other.local === local);
      if (index >= 0) log.pending.splice(index, 1);
      if (index >= 0) this.emit("gone", { user, local });
    }
  }

  edit = async (user: string, seq: number, text: string) => this.#change(user, seq, { text, edited: true });
  recall = async (user: string, seq: number) => this.#change(user, seq, { text: "", recalled: true, reactions: [] });

  async react(user: string, seq: number, emoji: string, on: boolean): Promise<void> {
    const message = this.#message(user, seq);
    const me = this.user ?? ME;
    const known = message.reactions.find((reaction) => reaction.emoji === emoji) ?? { emoji, count: 0, users: [] };
    const others = known.users.filter((user) => user !== me);
    const count = known.count - (known.users.length - others.length) + (on ? 1 : 0);
    const changed = { emoji, count, users: on ? [...others, me] : others };
    const reactions = [...message.reactions.filter((reaction) => reaction.emoji !== emoji), changed];
    this.#store({ ...message, reactions: reactions.filter((reaction) => reaction.count > 0) });
  }

  async remove(user: string, seqs: number[]): Promise<void> {
    for (const seq of seqs) {
      this.#log(user).removed.add(seq);
      this.emit("gone", { user, seq });
    }
  }

  async ask(): Promise<never> {
    throw "offline";
  }

  block = async (user: string, on: boolean) => this.#moved(user, { blocked: on });
  typing(): void {}

  markRead(user: string, seq: number): void {
    const log = this.#log(user);
    let unread = 0;
    for (let at = seq + 1; at <= log.conversation.headSeq; at += 1) unread += this.#has(user, at)?.own === false ? 1 : 0;
    this.#moved(user, { readSeq: Math.max(seq, log.conversation.readSeq), unread });
  }

  look(user: string | undefined): void {
    this.#looking = user;
  }

  async conversations(): Promise<Conversation[]> {
    await this.#wait();
    return [...this.#logs.values()].map((log) => log.conversation).sort((a, b) => b.activity - a.activity);
  }

  async history(user: string, { before, limit = 50 }: { before?: number; limit?: number } = {}): Promise<Page> {
    await this.#wait();
    const log = this.#log(user);
    const head = log.conversation.headSeq;
    const to = Math.min(head, (before ?? head + 1) - 1);
    const from = Math.max(1, to - limit + 1);
    const messages: Message[] = [];
    for (let seq = from; seq <= to; seq += 1) {
      const message = this.#has(user, seq);
      if (message && !log.removed.has(seq)) messages.push(message);
    }
    if (before === undefined) messages.push(...log.pending);
    return { messages, from: head === 0 ? 0 : from, to, low: head === 0 ? 0 : 1 };
  }

  async setDraft(user: string, text: string): Promise<void> {
    if (text) this.#drafts.set(user, text);
    else this.#drafts.delete(user);
  }

  drafts = async () => new Map(this.#drafts);

  room(): never {
    throw new Error("the demo has no rooms");
  }

  on<K extends keyof Events>(event: K, handler: (value: Events[K]) => void): () => void {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers);
    handlers.add(handler as (value: never) => void);
    return () => handlers.delete(handler as (value: never) => void);
  }

  emit<K extends keyof Events>(event: K, value: Events[K]): void {
    for (const handler of this.#handlers.get(event) ?? []) (handler as (value: Events[K]) => void)(value);
  }

  setLink(link: Link): void {
    this.link = link;
    this.emit("link", link);
  }

  /** Somebody writes. */
  receive(user: string, text: string, more: Partial<Message> = {}): void {
    const seq = this.#log(user).conversation.headSeq + 1;
    const message = { ...blank(user), seq, text, time: Date.now(), ...more };
    this.#store(message);
    if (message.event) return this.#moved(user, { headSeq: seq });
    this.#moved(user, { last: message, unread: this.#log(user).conversation.unread + 1, headSeq: seq, activity: this.#activity++ });
    if (this.#looking !== user) this.emit("notify", message);
  }

  /** Of the demo's groups. */
  conversationOf(user: string): Conversation {
    return this.#log(user).conversation;
  }

  moved(user: string, change: Partial<Conversation>): void {
    this.#moved(user, change);
  }

  async #enter(user: string): Promise<void> {
    this.user = user;
    this.setLink({ state: "connecting" });
    await this.#wait();
    this.setLink({ state: "live", transport: "websocket" });
    this.emit("signedIn", { user });
    this.emit("caughtUp", undefined);
  }

  async #deliver(message: Message): Promise<void> {
    const { user } = message;
    await this.#wait();
    const log = this.#log(user);
    if (this.link.state !== "live") return;
    if (message.text.startsWith("/fail")) {
      const refusal = { code: "not_allowed", text: "blocked", retryable: false, retryAfterMs: 0 };
      const failed = { ...message, state: "failed" as const, refusal };
      log.pending = log.pending.map((other) => (other.local === message.local ? failed : other));
      return this.emit("message", failed);
    }
    log.pending = log.pending.filter((other) => other.local !== message.local);
    const seq = log.conversation.headSeq + 1;
    const isGroup = log.conversation.group !== undefined;
    const sent = { ...message, seq, state: "sent" as const, ...(isGroup && { sender: this.user ?? ME }) };
    this.#store(sent);
    this.#moved(user, { last: sent, headSeq: seq, activity: this.#activity++, readSeq: seq, unread: 0 });
    if (this.#pace === 0) return;
    await this.#wait(1);
    if (!isGroup) this.#moved(user, { deliveredSeq: seq });
    await this.#wait(2);
    if (!isGroup) this.#moved(user, { theirReadSeq: seq });
    await this.#wait(1);
    const who = isGroup ? { sender: MEMBERS[1 + (seq % (MEMBERS.length - 1))]?.user ?? "" } : {};
    this.emit("typing", { user, stopped: false, ...who });
    await this.#wait(5);
    this.receive(user, ANSWERS[seq % ANSWERS.length] ?? "", who);
  }

  #wait(times = 1): Promise<void> {
    return this.#pace === 0 ? Promise.resolve() : new Promise((done) => setTimeout(done, this.#pace * times));
  }

  #log(user: string): Log {
    const known = this.#logs.get(user);
    if (known) return known;
    const log: Log = { conversation: fresh(user, this.#activity++), messages: new Map(), pending: [], removed: new Set() };
    this.#logs.set(user, log);
    return log;
  }

  #has(user: string, seq: number): Message | undefined {
    const stored = this.#log(user).messages.get(seq);
    return stored ?? (user === ARCHIVE.user && seq <= ARCHIVE.count ? archived(seq, this.#now) : undefined);
  }

  #message(user: string, seq: number): Message {
    const message = this.#has(user, seq);
    if (!message) throw { code: "not_found", text: "", retryable: false, retryAfterMs: 0 };
    return message;
  }

  #change(user: string, seq: number, change: Partial<Message>): void {
    const message = this.#message(user, seq);
    if (Date.now() - message.time > LATE_MS) throw { code: "too_late", text: "", retryable: false, retryAfterMs: 0 };
    this.#store({ ...message, ...change });
  }

  #store(message: Message): void {
    const log = this.#log(message.user);
    const { local: _, ...kept } = message;
    log.messages.set(message.seq ?? 0, kept);
    this.emit("message", message);
    if (log.conversation.last?.seq === message.seq) this.#moved(message.user, { last: kept });
  }

  #moved(user: string, change: Partial<Conversation>): void {
    const log = this.#log(user);
    log.conversation = { ...log.conversation, ...change };
    this.emit("conversation", log.conversation);
  }

  #written(script: Script, activity: number): Log {
    const messages = new Map<number, Message>();
    for (const [index, [ago, own, text, { replyToLine, ...extra } = {}]] of script.lines.entries()) {
      const seq = index + 1;
      const reply = replyToLine === undefined ? {} : { replyTo: replyToLine + 1 };
      const sender = script.group && own ? { sender: ME } : {};
      messages.set(seq, { ...blank(script.user), ...sender, seq, own, text, time: this.#now - ago * MINUTE_MS, ...(own ? { state: "sent" as const } : {}), ...reply, ...extra });
    }
    const head = script.lines.length;
    const conversation: Conversation = {
      ...fresh(script.user, activity),
      headSeq: head,
      last: messages.get(head),
      unread: script.unread ?? 0,
      readSeq: head - (script.unread ?? 0),
      deliveredSeq: script.group ? 0 : head - (script.notDelivered ?? 0),
      theirReadSeq: script.group ? 0 : head - (script.notRead ?? 0),
      blocked: script.blocked ?? false,
      ...(script.group && { group: script.group }),
    };
    return { conversation, messages, pending: [], removed: new Set() };
  }

  #archive(): Log {
    const { user, count } = ARCHIVE;
    const conversation = { ...fresh(user, 1), headSeq: count, readSeq: count, deliveredSeq: count, theirReadSeq: count, last: archived(count, this.#now) };
    return { conversation, messages: new Map(), pending: [], removed: new Set() };
  }
}

const blank = (user: string): Message => ({ user, own: false, type: "text", text: "", body: new Uint8Array(), time: 0, edited: false, recalled: false, reactions: [] });

const fresh = (user: string, activity: number): Conversation => ({ user, activity, unread: 0, readSeq: 0, headSeq: 0, deliveredSeq: 0, theirReadSeq: 0, blocked: false, readOnly: false });

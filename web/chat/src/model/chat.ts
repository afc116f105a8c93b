/**
 * What the views show of a signed-in person: conversations, drafts, who types, the link, and the open conversation. It
 * turns the SDK's events into signals and holds no rule of the protocol.
 */
import type { Client, Conversation, Link, Message, SendOptions } from "@hongyan/sdk";
import { idOf, isGroup } from "./names.js";
import { type GroupActions, People } from "./people.js";
import { Signal } from "./signal.js";
import { Timeline } from "./timeline.js";

/** As PROTOCOL.md §11: a notice that somebody types is forgotten after this. */
const TYPING_SHOWN_MS = 6_000;
/** … and told at most this often. */
const TYPING_TOLD_MS = 3_000;
const DRAFT_DELAY_MS = 400;
const TOAST_MS = 5_000;

export interface Toast {
  id: number;
  text: string;
  /** What was done to a group could not be done. */
  ofGroup: boolean;
}

const codeOf = (error: unknown): string => (typeof error === "string" ? error : ((error as { code?: string } | undefined)?.code ?? "internal"));

export class Chat {
  readonly client: Client;
  readonly me: string;
  readonly groups: GroupActions;
  readonly link: Signal<Link>;
  readonly conversations = new Signal<readonly Conversation[]>([]);
  readonly loaded = new Signal(false);
  readonly drafts = new Signal<ReadonlyMap<string, string>>(new Map());
  /** By conversation, who; in a direct one nobody is named. */
  readonly typing = new Signal<ReadonlyMap<string, readonly string[]>>(new Map());
  /** The newest own message of a conversation that the server does not have yet. */
  readonly waiting = new Signal<ReadonlyMap<string, Message>>(new Map());
  readonly open = new Signal<Timeline | undefined>(undefined);
  /** The members of the open conversation, if that is a group. */
  readonly people = new Signal<People | undefined>(undefined);
  /** Invitation links that were made in this tab: another one would make them worthless. */
  readonly links = new Map<string, string>();
  readonly toast = new Signal<Toast | undefined>(undefined);
  /** Told to screen readers: the newest message of the open conversation. */
  readonly heard = new Signal<Message | undefined>(undefined);
  /** Editing and recalling is refused for messages older than this; learnt from refusals. */
  readonly lateAfterMs = new Signal(Infinity);

  #byId = new Map<string, Conversation>();
  #flushing = false;
  #typingTimers = new Map<string, ReturnType<typeof setTimeout>>();
  #toldTyping = new Map<string, number>();
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #unsaved: { user: string; text: string } | undefined;
  #toastTimer: ReturnType<typeof setTimeout> | undefined;
  #off: (() => void)[] = [];
  /** What is known here has been read: opening a conversation needs to know how far it is read. */
  #known: Promise<void> = Promise.resolve();

  constructor(client: Client, me: string, groups: GroupActions) {
    this.client = client;
    this.me = me;
    this.groups = groups;
    this.link = new Signal(client.link);
  }

  /** Begins to listen; `stop` undoes it. */
  begin(): void {
    const { client } = this;
    this.#off = [
      client.on("link", (link) => this.#linkMoved(link)),
      client.on("conversation", (conversation) => this.#put(conversation)),
      client.on("message", (message) => this.#message(message)),
      client.on("gone", (gone) => this.#gone(gone)),
      client.on("typing", ({ user, stopped, sender }) => this.#typed(user, stopped, sender)),
      client.on("reset", () => void this.#reload().catch(() => undefined)),
      client.on("caughtUp", () => this.loaded.set(true)),
    ];
    addEventListener("focus", this.#look);
    addEventListener("blur", this.#look);
    document.addEventListener("visibilitychange", this.#look);
    addEventListener("pagehide", this.#saveDraft);
    this.#known = this.#load().catch(() => undefined);
  }

  stop(): void {
    for (const off of this.#off) off();
    removeEventListener("focus", this.#look);
    removeEventListener("blur", this.#look);
    document.removeEventListener("visibilitychange", this.#look);
    removeEventListener("pagehide", this.#saveDraft);
    this.#saveDraft();
  }

  conversation(id: string): Conversation | undefined {
    return this.#byId.get(id);
  }

  /** Shows a conversation, which need not exist yet, or none. */
  show(id: string | undefined): void {
    if (this.open.get()?.id === id) return;
    this.#saveDraft();
    const people = id !== undefined && isGroup(id) ? new People(this.client, this.groups, id) : undefined;
    this.people.set(people);
    if (id === undefined) this.open.set(undefined);
    else {
      const timeline = new Timeline(this.client, id, () => this.#byId.get(id));
      this.open.set(timeline);
      void this.#known.then(() => timeline.open());
      void this.#known.then(() => people?.follow(this.#byId.get(id)));
    }
    this.#look();
  }

  async send(user: string, text: string, options: SendOptions = {}): Promise<void> {
    this.setDraft(user, "");
    this.#toldTyping.delete(user);
    const timeline = this.#timeline(user);
    timeline?.clearLine();
    if (timeline && !timeline.view.get().segment.atHead) await timeline.latest();
    await this.#attempt(() => this.client.send(user, text, options));
  }

  /** Does something to a group; says why if it cannot be done. */
  async act<T>(act: (groups: GroupActions, client: Client) => Promise<T>): Promise<T | undefined> {
    try {
      return await act(this.groups, this.client);
    } catch (error) {
      this.say(codeOf(error), true);
      return undefined;
    } finally {
      // What was done to a member has perhaps no version.
      const people = this.people.get();
      people?.forget();
      void people?.follow(this.#byId.get(people.id));
    }
  }

  resend = (message: Message) => this.#attempt(() => this.client.resend(message.local ?? -1));
  discard = (message: Message) => this.#attempt(() => this.client.discard(message.local ?? -1));
  remove = (message: Message) => this.#attempt(() => this.client.remove(message.user, [message.seq ?? 0]));
  edit = (message: Message, text: string) => this.#attempt(() => this.client.edit(message.user, message.seq ?? 0, text), message);
  recall = (message: Message) => this.#attempt(() => this.client.recall(message.user, message.seq ?? 0), message);
  block = (user: string, on: boolean) => this.#attempt(() => this.client.block(user, on));

  react(message: Message, emoji: string): void {
    const mine = message.reactions.some((reaction) => reaction.emoji === emoji && reaction.users.includes(this.me));
    void this.#attempt(() => this.client.react(message.user, message.seq ?? 0, emoji, !mine));
  }

  /** Keeps what is written for a conversation; on the disk a moment later. */
  setDraft(user: string, text: string): void {
    if ((this.drafts.get().get(user) ?? "") === text) return;
    const drafts = new Map(this.drafts.get());
    if (text) drafts.set(user, text);
    else drafts.delete(user);
    this.drafts.set(drafts);
    if (this.#unsaved && this.#unsaved.user !== user) this.#saveDraft();
    this.#unsaved = { user, text };
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(this.#saveDraft, text ? DRAFT_DELAY_MS : 0);
  }

  tellTyping(user: string, stopped = false): void {
    const told = this.#toldTyping.get(user) ?? 0;
    if (stopped) {
      if (this.#toldTyping.delete(user)) this.client.typing(user, true);
    } else if (Date.now() - told >= TYPING_TOLD_MS) {
      this.#toldTyping.set(user, Date.now());
      this.client.typing(user);
    }
  }

  /** Tells the person something, by the name of a refusal or a text. */
  say(text: string, ofGroup = false): void {
    this.toast.set({ id: Date.now(), text, ofGroup });
    clearTimeout(this.#toastTimer);
    this.#toastTimer = setTimeout(() => this.toast.set(undefined), TOAST_MS);
  }

  /** Somebody sits in front of this tab. */
  get watched(): boolean {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  #look = (): void => {
    this.client.look(this.watched ? this.open.get()?.id : undefined);
  };

  #timeline(user: string): Timeline | undefined {
    const timeline = this.open.get();
    return timeline?.id === user ? timeline : undefined;
  }

  async #load(): Promise<void> {
    const [conversations, drafts] = await Promise.all([this.client.conversations(), this.client.drafts()]);
    for (const conversation of conversations) this.#byId.set(idOf(conversation), conversation);
    this.drafts.set(drafts);
    this.#flush();
    const { state } = this.link.get();
    if (conversations.length > 0 || state === "live" || state === "broken") this.loaded.set(true);
  }

  async #reload(): Promise<void> {
    this.#byId.clear();
    await this.#load();
    await this.open.get()?.open();
  }

  #linkMoved(link: Link): void {
    const was = this.link.get().state;
    this.link.set(link);
    const timeline = this.open.get();
    if (link.state === "broken") this.loaded.set(true);
    if (link.state === "live" && was !== "live" && timeline?.view.get().phase === "failed") void timeline.open();
  }

  #put(conversation: Conversation): void {
    const id = idOf(conversation);
    this.#byId.set(id, conversation);
    if (this.people.get()?.id === id) void this.people.get()?.follow(conversation);
    this.#flush();
  }

  /** Many conversations arrive at once after signing in; the list is sorted once for all of them. */
  #flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.conversations.set([...this.#byId.values()].sort((a, b) => b.activity - a.activity));
    });
  }

  #message(message: Message): void {
    if (!message.own) this.#typed(message.user, true, message.sender);
    this.#outgoing(message);
    const timeline = this.#timeline(message.user);
    if (!timeline) return;
    if (!message.own && !message.event && (message.seq ?? 0) > timeline.view.get().segment.to) this.heard.set(message);
    timeline.take(message, this.watched);
  }

  #gone(gone: { user: string; seq?: number; local?: number }): void {
    if (gone.local !== undefined) this.#settled(gone.user, gone.local);
    this.#timeline(gone.user)?.drop(gone);
  }

  #outgoing(message: Message): void {
    const { user, local, seq } = message;
    if (local === undefined) return;
    if (seq !== undefined) return this.#settled(user, local);
    if ((this.waiting.get().get(user)?.local ?? 0) <= local) this.waiting.update((waiting) => new Map(waiting).set(user, message));
  }

  #settled(user: string, local: number): void {
    if (this.waiting.get().get(user)?.local !== local) return;
    const waiting = new Map(this.waiting.get());
    waiting.delete(user);
    this.waiting.set(waiting);
  }

  #typed(user: string, stopped: boolean, sender = ""): void {
    const key = user + sender;
    clearTimeout(this.#typingTimers.get(key));
    const before = this.typing.get().get(user) ?? [];
    const others = before.filter((other) => other !== sender);
    if (!stopped) this.#typingTimers.set(key, setTimeout(() => this.#typed(user, true, sender), TYPING_SHOWN_MS));
    const who = stopped ? others : [...others, sender];
    if (who.length === 0 && before.length === 0) return;
    const typing = new Map(this.typing.get());
    if (who.length) typing.set(user, who);
    else typing.delete(user);
    this.typing.set(typing);
  }

  #saveDraft = (): void => {
    clearTimeout(this.#draftTimer);
    const unsaved = this.#unsaved;
    this.#unsaved = undefined;
    if (unsaved) void this.client.setDraft(unsaved.user, unsaved.text).catch(() => undefined);
  };

  async #attempt(act: () => Promise<unknown>, aged?: Message): Promise<void> {
    try {
      await act();
    } catch (error) {
      const code = codeOf(error);
      if (code === "too_late" && aged) this.lateAfterMs.update((known) => Math.min(known, Date.now() - aged.time));
      this.say(code);
    }
  }
}

/**
 * Drives one core in the leading tab: its store, its connection, its timers. Everything that an application asks for
 * comes here as a call, from this tab or another one. What a call means is in `calls.ts`.
 *
 * Outputs of the core are carried out one after the other: rows are kept before frames are sent or events told.
 */

import type { Credential, Events, Link, Options } from "../api";
import { about, isGroup } from "../core/alias";
import { Core, type MakeGroups, type Output } from "../core/core";
import type { Event, Request, RequestError } from "../core/event";
import { refusalOf } from "../core/refusal";
import type { Rooms } from "../core/rooms";
import type { Entry } from "../wire/proto";
import { Dialler } from "./dialler";
import { openIndexedStore } from "./indexed";
import type { Line } from "./line";
import { keepMark, keptMark } from "./mark";
import { Notices } from "./notices";
import { MemoryStore, type Store } from "./store";
import { Typists } from "./typists";
import { conversationOf, isShown, linkOf, messageOf, newsOf, pendingOf } from "./view";
import type { World } from "./world";

/** The device is looked at so often; if that comes much too late, it was asleep. */
const TICK_MS = 5_000;
const ASLEEP_MS = 30_000;
/** Outputs carried out at once: what waits longer than that is kept and told in pieces, between which the page can breathe. */
const OUTPUTS_MAX = 64;
/** Own messages that are told anew when a receipt rises; older ones follow from the conversation's marks. */
const RECEIPT_MESSAGES_MAX = 100;

export interface Host {
  tell<K extends keyof Events>(event: K, value: Events[K]): void;
  /** Some tab with the focus shows this conversation. */
  isLookedAt(user: string): boolean;
  /** This tab may still act for all. */
  isLeader(): boolean;
}

interface Waiting {
  resolve(value?: any): void;
  reject(reason: unknown): void;
}

export class Engine {
  core!: Core;
  store!: Store;
  link: Link = { state: "idle" };
  private readonly dialler: Dialler;
  private readonly notices: Notices;
  readonly typists: Typists;
  private line: Line | undefined;
  /** The server has said something over this line. */
  private heard = false;
  private queue: Output[] = [];
  private isPumping = false;
  private pumping: Promise<void> = Promise.resolve();
  private timer: number | undefined;
  private tick: number | undefined;
  private ticked: number;
  private time = 0;
  private clock: number;
  private closed = false;
  private token = 0;
  /** Who waits for the end of an attempt to connect. */
  private readonly undecided: (() => void)[] = [];
  private readonly asked = new Map<number, Waiting>();
  private signingIn: (Waiting & { credential: Credential }) | undefined;
  private readonly unlisten: (() => void)[];

  private constructor(
    readonly world: World,
    private readonly options: Options,
    readonly name: string,
    server: string,
    private readonly host: Host,
    private readonly WithGroups: MakeGroups | undefined,
  ) {
    this.clock = this.ticked = world.clock();
    this.dialler = new Dialler(world, server, () => this.input((core, now) => core.move(now)));
    this.notices = new Notices((user) => host.isLookedAt(user), (message) => host.tell("notify", message));
    this.typists = new Typists(world, (typing) => host.tell("typing", typing));
    const wake = () => this.wake();
    this.unlisten = [
      world.listen("online", wake),
      world.listen("pageshow", wake),
      world.listen("visibilitychange", () => world.isVisible() && wake()),
    ];
    this.watchSleep();
  }

  static async open(world: World, options: Options, name: string, server: string, host: Host, WithGroups?: MakeGroups): Promise<Engine> {
    const engine = new Engine(world, options, name, server, host, WithGroups);
    await engine.restore();
    return engine;
  }

  private async openStore(): Promise<Store> {
    const { indexedDB } = this.world;
    if (!indexedDB) return new MemoryStore();
    try {
      // Deleted or closed under us: begin another one.
      return await openIndexedStore(indexedDB, this.name, () => void this.openStore().then((store) => this.replaceStore(store)));
    } catch {
      // A private window or a full disk: what is written now lives as long as this tab.
      return new MemoryStore();
    }
  }

  private async restore(): Promise<void> {
    this.store = await this.openStore();
    const restored = await this.store.load().catch(() => {
      this.store.close();
      this.store = new MemoryStore();
      return this.store.load();
    });
    // Either of the two may have been cleared.
    restored.mark ??= keptMark(this.world.storage, this.name)?.mark;
    const deviceId = restored.device ?? this.world.random(16);
    if (!restored.device) await this.store.commit([{ kind: "device", value: deviceId }]);
    const seed = new DataView(this.world.random(4).buffer).getInt32(0);
    this.core = new Core({ app: this.options.app, client: this.options.client ?? "hongyan-web", deviceId, seed }, restored, this.WithGroups);
  }

  /** Goes on with an empty store: the core keeps again what it knows, and messages are read anew. */
  private replaceStore(store: Store): void {
    if (this.closed) return store.close();
    this.store.close();
    this.store = store;
    this.input((core, now) => core.storeLost(now));
  }

  /** A clock that never goes back, but feels a sleep. */
  private now(): number {
    const clock = this.world.clock();
    this.time += Math.max(0, clock - this.clock);
    this.clock = clock;
    return this.time;
  }

  private watchSleep(): void {
    this.tick = this.world.setTimeout(() => {
      const now = this.world.clock();
      if (now - this.ticked > TICK_MS + ASLEEP_MS) this.wake();
      this.ticked = now;
      if (!this.closed) this.watchSleep();
    }, TICK_MS);
  }

  wake(): void {
    this.input((core, now) => core.wake(now));
  }

  /** Gives the core an input and carries out what follows. */
  input<T>(act: (core: Core, now: number) => T): T | undefined {
    if (this.closed || !this.core) return undefined;
    const result = act(this.core, this.now());
    const output = this.core.take();
    if (output.rows.length || output.effects.length || output.frames.length || output.events.length) {
      this.queue.push(output);
      if (!this.isPumping) this.pumping = this.pump();
    }
    this.schedule();
    return result;
  }

  private schedule(): void {
    this.world.clearTimeout(this.timer);
    const deadline = this.core.deadline();
    if (deadline === undefined || this.closed) return;
    this.timer = this.world.setTimeout(() => this.input((core, now) => core.timeout(now)), Math.max(0, deadline - this.now()));
  }

  /** Everything so far is kept and sent. */
  async settled(): Promise<void> {
    while (this.isPumping) await this.pumping;
  }

  private async pump(): Promise<void> {
    this.isPumping = true;
    try {
      while (this.queue.length) await this.carryOut(this.queue.splice(0, OUTPUTS_MAX));
    } finally {
      // In the same instant in which the queue was seen to be empty.
      this.isPumping = false;
    }
  }

  private async carryOut(outputs: Output[]): Promise<void> {
    const rows = outputs.flatMap((output) => output.rows);
    if (rows.length) await this.keep(rows);
    for (const { effects, frames, events } of outputs) {
      if (this.closed) return;
      for (const effect of effects) if (effect === "connect") this.connect(); else this.disconnect();
      if (frames.length) this.line?.send(frames);
      for (const event of events) {
        if (this.closed) return;
        // A message is told at once: an application draws a page of them once, not after each. The others may take time.
        const told = this.tell(event);
        if (event.kind !== "message") await told;
      }
    }
  }

  private async keep(rows: Output["rows"]): Promise<void> {
    if (!this.host.isLeader()) return this.close();
    const { store } = this;
    for (const row of rows) if (row.kind === "mark" && row.value) keepMark(this.world.storage, this.name, { mark: row.value, at: this.world.clock() });
    try {
      await store.commit(rows);
    } catch {
      // The disk is full, or the database is gone. Nothing may be kept behind what was not kept, so the database stays
      // as it was, which is right, only older; the next visit gets again what is missing.
      if (this.store === store) this.replaceStore(new MemoryStore());
    }
  }

  private connect(): void {
    this.disconnect();
    this.heard = false;
    const line = this.dialler.dial({
      connected: () => this.line === line && this.input((core, now) => core.connected(now, line.transport === "poll")),
      received: (bytes) => {
        if (this.line !== line) return;
        this.heard = true;
        this.input((core, now) => core.received(now, bytes));
      },
      closed: () => {
        if (this.line !== line) return;
        this.doubt();
        this.line = undefined;
        this.input((core, now) => core.disconnected(now));
      },
    });
    this.line = line;
  }

  private disconnect(): void {
    this.doubt();
    this.line?.close();
    this.line = undefined;
  }

  private doubt(): void {
    if (this.line && !this.heard) this.dialler.failed(this.line.transport);
  }

  private get me(): string {
    return this.core.user ?? "";
  }

  private async tell(event: Event): Promise<void> {
    const { core, host, me } = this;
    switch (event.kind) {
      case "link":
        if (event.phase.state === "live" && this.line) this.dialler.worked(this.line.transport);
        return this.linkMoved(event.phase);
      case "signedIn":
        host.tell("signedIn", { user: event.user });
        this.signingIn?.resolve();
        this.signingIn = undefined;
        return;
      case "message":
      case "changed": {
        const entry = (event.kind === "changed" && (await this.merged(event.user, event.entry.seq))) || event.entry;
        const message = messageOf(me, event.user, entry, core.conversations.row(event.user));
        host.tell("message", message);
        if (event.kind === "message" && !entry.own) {
          const { silent, uncounted, seq, sender } = entry;
          this.typists.stopped(event.user, sender);
          if (!silent && !uncounted && !entry.event && seq > (core.conversations.row(event.user)?.conversation.readSeq ?? 0)) this.notices.add(message);
        }
        return;
      }
      case "outgoing": {
        const { row, entry } = event;
        const user = about(row.request);
        return host.tell("message", entry ? { ...messageOf(me, user, entry, core.conversations.row(user)), local: row.local } : pendingOf(row));
      }
      case "gone":
        return host.tell("gone", { user: event.user, seq: event.seq });
      case "deleted":
        // Everything up to a place: there may be thousands, and it is rare.
        if (event.deletion.upToSeq > 0) host.tell("reset", undefined);
        for (const seq of event.deletion.seqs) host.tell("gone", { user: event.user, seq });
        return;
      case "receipt":
        return this.tellReceipt(event.user, Math.min(event.deliveredBefore, event.readBefore));
      case "conversation":
        return isShown(event.row) ? host.tell("conversation", conversationOf(me, event.row)) : undefined;
      case "typing":
        return this.typists.typing(event.user, event.stopped, event.sender);
      case "room":
        return host.tell("room", newsOf(event.room, event.name, event.told));
      case "caughtUp":
        this.notices.caughtUp((user) => core.conversations.row(user)?.conversation.readSeq ?? 0);
        return host.tell("caughtUp", undefined);
      case "reset":
        return host.tell("reset", undefined);
      case "answered": {
        const waiting = this.asked.get(event.token);
        this.asked.delete(event.token);
        if ("answer" in event.result) waiting?.resolve(event.result.answer);
        else waiting?.reject(errorOf(event.result.error));
      }
    }
  }

  /** What a group is told of a row is less than what is kept of it. */
  private async merged(user: string, seq: number): Promise<Entry | undefined> {
    return isGroup(user) ? (await this.store.messages(user, seq, seq, 1).catch(() => []))[0] : undefined;
  }

  private async tellReceipt(user: string, above: number): Promise<void> {
    const row = this.core.conversations.row(user);
    if (!row) return;
    const { peerDeliveredSeq, peerReadSeq } = row.conversation;
    const to = Math.max(peerDeliveredSeq, peerReadSeq);
    const entries = await this.store.messages(user, Math.max(above + 1, to - RECEIPT_MESSAGES_MAX + 1), to, RECEIPT_MESSAGES_MAX).catch(() => []);
    for (const entry of entries) if (entry.own) this.host.tell("message", messageOf(this.me, user, entry, row));
  }

  private decide(): void {
    for (const resolve of this.undecided.splice(0)) resolve();
  }

  private async linkMoved(phase: Core["link"]["phase"]): Promise<void> {
    const signingIn = this.signingIn;
    if (phase.state === "stopped" && phase.reason.kind === "otherUser" && signingIn) {
      // Another person signs in: what is kept here is not theirs. A visitor goes on by the mark that has just come.
      const credential = this.core.credential ?? signingIn.credential;
      await this.renew();
      this.input((core, now) => core.signIn(now, credential));
      return;
    }
    // An attempt follows at once: nothing to show.
    if (phase.state === "broken" && phase.retryInMs === 0) return;
    if (phase.state !== "live") this.notices.behind();
    if (phase.state !== "connecting" && phase.state !== "resuming" && phase.state !== "authing") this.decide();
    const link = linkOf(phase, this.line?.transport, this.world.clock());
    // Applications see fewer states than there are.
    if (JSON.stringify(link) !== JSON.stringify(this.link)) this.host.tell("link", (this.link = link));
    if (!signingIn || (phase.state !== "stopped" && phase.state !== "broken")) return;
    // Nobody waits at a form: the visitor's message goes out when there is a connection.
    if (phase.state === "broken" && "visitor" in signingIn.credential) return;
    this.signingIn = undefined;
    if (phase.state === "broken") {
      signingIn.reject(phase.refusal ? refusalOf(phase.refusal) : "offline");
      this.input((core, now) => core.abandon(now));
    } else signingIn.reject(phase.reason.kind === "refused" ? phase.reason.refusal : phase.reason);
  }

  /** Whether the link is live; waits for an attempt that is under way. */
  async isLive(): Promise<boolean> {
    const { link } = this.core;
    if (!link.is("live") && !link.isDown()) await new Promise<void>((resolve) => this.undecided.push(resolve));
    return this.core.link.is("live");
  }

  /** Asks the server. */
  async ask<T>(request: Request): Promise<T> {
    await this.isLive();
    return new Promise((resolve, reject) => {
      const token = ++this.token;
      this.asked.set(token, { resolve, reject });
      this.input((core, now) => core.request(now, token, request));
    });
  }

  /** Asks the part of the core that knows rooms. */
  askRooms<T>(act: (rooms: Rooms, token: number) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const token = ++this.token;
      this.asked.set(token, { resolve, reject });
      this.input((core, now) => core.room(now, (rooms) => act(rooms, token)));
    });
  }

  async signIn(credential: Credential): Promise<void> {
    const { user } = this.core;
    const isOther = "user" in credential ? user !== credential.user : "visitor" in credential && !credential.visitor.mark;
    if (user !== undefined && isOther) await this.forgetAll();
    return this.enter(credential, (core, now) => core.signIn(now, credential));
  }

  /** As `signIn`, but a session that the server still takes goes on. */
  async continueAs(credential: Credential): Promise<void> {
    if (!(await this.isLive())) await this.enter(credential, (core, now) => core.continueAs(now, credential));
  }

  private enter(credential: Credential, act: (core: Core, now: number) => void): Promise<void> {
    this.signingIn?.reject("offline");
    return new Promise((resolve, reject) => {
      this.signingIn = { resolve, reject, credential };
      this.input(act);
    });
  }

  /** Forgets the session and everything else of the user, and begins as a new device. */
  async forgetAll(): Promise<void> {
    this.input((core, now) => core.abandon(now));
    await this.settled();
    await this.renew();
  }

  private async renew(): Promise<void> {
    this.queue = [];
    this.disconnect();
    for (const waiting of this.asked.values()) waiting.reject("offline");
    this.asked.clear();
    this.decide();
    keepMark(this.world.storage, this.name, undefined);
    await this.store.wipe().catch(() => undefined);
    this.store.close();
    await this.restore();
    this.host.tell("reset", undefined);
  }

  tellGone(user: string, local: number): void {
    this.host.tell("gone", { user, local });
  }

  stopped(): void {
    this.link = { state: "stopped", reason: { kind: "signed-out" } };
    this.host.tell("link", this.link);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.world.clearTimeout(this.timer);
    this.world.clearTimeout(this.tick);
    for (const stop of this.unlisten) stop();
    this.typists.close();
    this.line?.close();
    this.dialler.close();
    // What is being written comes to its end in the database, or not at all.
    this.store?.close();
  }
}

function errorOf(error: RequestError): unknown {
  return typeof error === "object" ? refusalOf(error.refusal) : "offline";
}

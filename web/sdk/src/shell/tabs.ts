/**
 * One leader among the tabs of a site: it alone has the connection and writes the database. The others send it their
 * calls and hear its events. When it goes, another one takes over, and calls without an answer are made again under the
 * same id.
 *
 * Leadership is a Web Lock where there are locks, otherwise a lease in localStorage; without either, or without a
 * BroadcastChannel, a tab is alone and leads.
 */

import type { Events, Link } from "../api";
import type { Calls } from "./calls";
import { campaign } from "./election";
import type { World } from "./world";

/** How often a tab with the focus says again what it looks at, and for how long the leader believes it. */
const LOOK_EVERY_MS = 5_000;
const LOOK_VALID_MS = 12_000;
/** Answers that are remembered for calls made twice. */
const ANSWERS_MAX = 500;

export interface TabState {
  link: Link;
  user: string | undefined;
}

/** The part of the leader that is not about tabs. */
export interface Leader {
  calls: Calls;
  state(): TabState;
  close(): void;
}

export interface TabHost {
  /** This tab leads from now on. */
  lead(): Promise<Leader>;
  /** An event, from here or from the leader. */
  heard<K extends keyof Events>(event: K, value: Events[K], user: string | undefined): void;
  /** Another tab leads; this is how things are. */
  joined(state: TabState): void;
}

type Note =
  | { kind: "hello" }
  | { kind: "leader"; state: TabState }
  | { kind: "call"; id: string; method: keyof Calls; args: unknown[] }
  | { kind: "answer"; id: string; value?: unknown; error?: unknown }
  | { kind: "event"; event: keyof Events; value: any; user: string | undefined }
  | { kind: "look"; tab: string; user: string | undefined };

interface Call {
  method: keyof Calls;
  args: unknown[];
  resolve(value: any): void;
  reject(reason: unknown): void;
}

export class Tabs {
  private readonly id: string;
  private channel: BroadcastChannel | undefined;
  private readonly waiting = new Map<string, Call>();
  private readonly answers = new Map<string, Promise<Note>>();
  private readonly looks = new Map<string, { user: string | undefined; at: number }>();
  private leader: Leader | undefined;
  private joined = false;
  private count = 0;
  private looking: string | undefined;
  private lookTimer: number | undefined;
  private stillLeads: () => boolean = () => false;
  private readonly resign: () => void;

  constructor(
    private readonly world: World,
    name: string,
    private readonly host: TabHost,
  ) {
    this.id = [...world.random(8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const Channel = world.BroadcastChannel;
    this.channel = Channel && new Channel(name);
    if (this.channel) this.channel.onmessage = ({ data }) => void this.noted(data as Note);
    this.resign = campaign(world, name, this.id, !!Channel, {
      won: (stillLeads) => void this.lead(stillLeads),
      lost: () => this.dethroned(),
    });
    this.post({ kind: "hello" });
  }

  private post(note: Note): void {
    this.channel?.postMessage(note);
  }

  isLeader(): boolean {
    return this.stillLeads();
  }

  private async lead(stillLeads: () => boolean): Promise<void> {
    this.stillLeads = stillLeads;
    const leader = await this.host.lead();
    if (!this.stillLeads()) return leader.close();
    this.leader = leader;
    this.joined = true;
    this.answers.clear();
    this.post({ kind: "leader", state: leader.state() });
    this.host.joined(leader.state());
    for (const [id, call] of [...this.waiting]) this.make(id, call);
  }

  private dethroned(): void {
    this.stillLeads = () => false;
    this.leader?.close();
    this.leader = undefined;
    this.joined = false;
    this.post({ kind: "hello" });
  }

  private async noted(note: Note): Promise<void> {
    switch (note.kind) {
      case "hello":
        if (this.leader) this.post({ kind: "leader", state: this.leader.state() });
        return;
      case "leader":
        if (this.leader) return;
        this.joined = true;
        this.host.joined(note.state);
        this.look(this.looking);
        for (const [id, call] of [...this.waiting]) this.make(id, call);
        return;
      case "call":
        if (this.leader) this.post(await this.answer(note.id, note.method, note.args));
        return;
      case "answer":
        if (this.waiting.has(note.id)) this.settle(note.id, note);
        return;
      case "event":
        if (!this.leader) this.host.heard(note.event, note.value, note.user);
        return;
      case "look":
        this.looked(note.tab, note.user);
    }
  }

  /** Calls the leader, wherever it is; waits until there is one. */
  call<M extends keyof Calls>(method: M, ...args: Parameters<Calls[M]>): Promise<Awaited<ReturnType<Calls[M]>>> {
    const id = `${this.id}-${++this.count}`;
    return new Promise((resolve, reject) => {
      const call = { method, args, resolve, reject };
      this.waiting.set(id, call);
      if (this.joined) this.make(id, call);
    });
  }

  private make(id: string, { method, args }: Call): void {
    if (this.leader) void this.answer(id, method, args).then((note) => this.settle(id, note as Note & { kind: "answer" }));
    else this.post({ kind: "call", id, method, args });
  }

  private settle(id: string, { value, error }: { value?: unknown; error?: unknown }): void {
    const call = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(error);
  }

  /** Makes a call once, however often it is asked for. */
  private answer(id: string, method: keyof Calls, args: unknown[]): Promise<Note> {
    let answer = this.answers.get(id);
    if (!answer) {
      const run = this.leader!.calls[method] as (...args: unknown[]) => Promise<unknown>;
      answer = run(...args).then(
        (value): Note => ({ kind: "answer", id, value }),
        (error): Note => ({ kind: "answer", id, error: error instanceof Error ? String(error) : error }),
      );
      this.answers.set(id, answer);
      for (const oldest of this.answers.keys()) {
        if (this.answers.size <= ANSWERS_MAX) break;
        this.answers.delete(oldest);
      }
    }
    return answer;
  }

  /** Tells an event to all tabs. */
  tell<K extends keyof Events>(event: K, value: Events[K], user: string | undefined): void {
    this.host.heard(event, value, user);
    // Once over all tabs: the leader's is never frozen.
    if (event !== "notify") this.post({ kind: "event", event, value, user });
  }

  look(user: string | undefined): void {
    this.looking = user;
    this.world.clearTimeout(this.lookTimer);
    this.looked(this.id, user);
    this.post({ kind: "look", tab: this.id, user });
    if (user !== undefined) this.lookTimer = this.world.setTimeout(() => this.look(user), LOOK_EVERY_MS);
  }

  private looked(tab: string, user: string | undefined): void {
    if (this.looks.get(tab)?.user !== user) void this.leader?.calls.looked();
    this.looks.set(tab, { user, at: this.world.clock() });
  }

  isLookedAt(user: string): boolean {
    const now = this.world.clock();
    return [...this.looks.values()].some((look) => look.user === user && now - look.at < LOOK_VALID_MS);
  }

  close(): void {
    this.look(undefined);
    this.world.clearTimeout(this.lookTimer);
    this.stillLeads = () => false;
    this.leader?.close();
    this.leader = undefined;
    this.resign();
    this.channel?.close();
    this.channel = undefined;
    for (const call of this.waiting.values()) call.reject("offline");
    this.waiting.clear();
  }
}

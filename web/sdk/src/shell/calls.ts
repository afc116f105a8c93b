/** What an application's calls do in the leading tab. Their names, arguments and results cross from other tabs. */

import type { Conversation, Credential, Message, Page, SendOptions } from "../api";
import { about, nameOf, partsOf, to } from "../core/alias";
import { BODY_BYTES_MAX } from "../core/outbox";
import { holding } from "../core/ranges";
import { refusalOf, refuse } from "../core/refusal";
import { utf8 } from "../wire/codec";
import { type ClaimVisitorAnswer, type HistoryAnswer, RefusalCode } from "../wire/proto";
import { arrive } from "./arrival";
import type { Engine } from "./engine";
import { callsOfRooms } from "./room-calls";
import { conversationOf, isReadOnly, isShown, messageOf, pendingOf } from "./view";

const PAGE_MAX = 100;
/** Pages asked for until there is something to show: ranges may hold nothing but changes and what is gone. */
const EMPTY_PAGES_MAX = 5;
/** Signing out does not wait longer for the server. */
const SIGN_OUT_MS = 3_000;

const no = (code: number, text: string) => refusalOf(refuse(code, text));

export function callsOf(engine: Engine) {
  const { world } = engine;
  const me = () => engine.core.user ?? "";
  let arriving: Promise<void> | undefined;

  /** What is known of a conversation between `from` and `to`, at most `limit`, as a page. */
  async function cached(user: string, to: number, limit: number): Promise<Page | undefined> {
    const row = engine.core.conversations.row(user);
    const range = row && holding(row.covered, to);
    if (!row || !range) return undefined;
    const entries = await engine.store.messages(user, range.from, to, limit);
    const low = Math.max(row.conversation.lowSeq, 1);
    const from = entries.length === limit ? entries[0]!.seq : range.from;
    return { messages: entries.map((entry) => messageOf(me(), partsOf(user).user, entry, row)), from, to, low };
  }

  async function page(user: string, before: number | undefined, limit: number): Promise<Page> {
    const { conversations } = engine.core;
    const row = conversations.row(user);
    let to = before === undefined ? (row?.conversation.headSeq ?? 0) : before - 1;
    const empty = { messages: [], from: 1, to: Math.max(to, 0), low: 1 };
    if (before !== undefined && to < Math.max(row?.conversation.lowSeq ?? 1, 1)) return { ...empty, low: before };
    // Whoever wants the newest messages does not wait until everything before them has been taken in.
    let isBehind = before === undefined && engine.core.inbox.isBehind;
    for (let asked = 0; ; asked++) {
      const known = to > 0 && !isBehind ? await cached(user, to, limit) : undefined;
      const isWhole = known && (known.messages.length >= limit || known.from <= known.low);
      if (isWhole || (known && known.messages.length > 0 && asked > 0)) return known;
      if (!(await engine.isLive())) {
        if (known) return known;
        if (to === 0) return empty;
        throw "offline";
      }
      if (asked >= EMPTY_PAGES_MAX) return known ?? empty;
      isBehind = false;
      // Below what is known already, or from the top.
      const beforeSeq = known ? known.from : (before ?? 0);
      const answer = await engine.ask<HistoryAnswer>({ kind: "history", user, beforeSeq, limit });
      if (answer.coveredTo === 0) return known ? { ...known, low: known.from } : { ...empty, low: Math.max(answer.lowSeq, to + 1) };
      if (!known) to = answer.coveredTo;
    }
  }

  return {
    async start(): Promise<boolean> {
      engine.input((core, now) => core.session && core.start(now));
      // Whoever is told that the session goes on has heard of the link before.
      await engine.settled();
      return engine.core.session !== undefined;
    },

    async signIn(credential: Credential): Promise<void> {
      if (!("visitor" in credential)) return engine.signIn(credential);
      // Another tab may be about to.
      arriving ??= arrive(engine, credential.visitor).finally(() => (arriving = undefined));
      return arriving;
    },

    async claimVisitor(mark: string): Promise<string> {
      return (await engine.ask<ClaimVisitorAnswer>({ kind: "claim", mark })).visitor;
    },

    async signOut(): Promise<void> {
      if (engine.core.link.is("live")) {
        const late = new Promise((resolve) => world.setTimeout(() => resolve(undefined), SIGN_OUT_MS));
        await Promise.race([engine.ask({ kind: "logout" }), late]).catch(() => undefined);
      }
      await engine.forgetAll();
      engine.stopped();
    },

    async send(user: string, text: string, options: SendOptions, clientMessageId: Uint8Array, writtenMs: number): Promise<Message> {
      const body = utf8(text);
      if (!engine.core.user) throw no(RefusalCode.UNAUTHENTICATED, "sign in first");
      if (body.length > BODY_BYTES_MAX) throw no(RefusalCode.TOO_BIG, "the text is too long");
      const request = { ...to(user), clientMessageId, body, ...options };
      const known = engine.core.conversations.row(user);
      if (known && isReadOnly(known)) throw no(RefusalCode.NOT_ALLOWED, "nothing can be sent here any more");
      const row = engine.input((core, now) => core.send(now, request, writtenMs));
      if (!row) throw no(RefusalCode.INVALID_ARGUMENT, "an empty message or name, or too many wait");
      engine.typists.said(user);
      await engine.settled();
      return pendingOf(row);
    },

    async resend(local: number): Promise<void> {
      if (!engine.input((core, now) => core.resend(now, local))) throw no(RefusalCode.NOT_FOUND, "no such failed message");
      await engine.settled();
    },

    async discard(local: number): Promise<void> {
      const row = engine.core.outbox.row(local);
      if (!row || !engine.input((core) => core.discard(local))) throw no(RefusalCode.NOT_FOUND, "no such failed message");
      await engine.settled();
      engine.tellGone(about(row.request), local);
    },

    edit: (user: string, seq: number, text: string, clientRequestId: Uint8Array) =>
      engine.ask<void>({ kind: "edit", user, seq, clientRequestId, body: utf8(text) }),

    recall: (user: string, seq: number, clientRequestId: Uint8Array) => engine.ask<void>({ kind: "recall", user, seq, clientRequestId }),

    react: (user: string, seq: number, name: string, on: boolean, clientRequestId: Uint8Array) =>
      engine.ask<void>({ kind: "react", user, seq, clientRequestId, name, remove: !on }),

    async remove(user: string, seqs: number[]): Promise<void> {
      for (let at = 0; at < seqs.length; at += PAGE_MAX) {
        await engine.ask({ kind: "delete", user, deletion: { upToSeq: 0, seqs: seqs.slice(at, at + PAGE_MAX) } });
      }
    },

    block: (user: string, on: boolean) => engine.ask<void>({ kind: "block", user, blocked: on }),

    async typing(user: string, stopped: boolean): Promise<void> {
      if (engine.typists.isDue(user, stopped)) engine.input((core, now) => core.typing(now, user, stopped));
    },

    async markRead(user: string, seq: number): Promise<void> {
      engine.input((core, now) => core.markRead(now, user, seq));
    },

    async conversations(): Promise<Conversation[]> {
      return engine.core.conversations.rows().filter(isShown).map((row) => conversationOf(me(), row));
    },

    async history(user: string, before: number | undefined, limit = 50, asVisitor = ""): Promise<Page> {
      const got = await page(nameOf({ user, asVisitor }), before, Math.min(Math.max(limit, 1), PAGE_MAX));
      if (before === undefined && !asVisitor) got.messages.push(...engine.core.outbox.waitingFor(user).map(pendingOf));
      return got;
    },

    /** For modules that know more requests than the core: `body` is without an id. */
    ask: (operation: number, body: Uint8Array) => engine.ask<Uint8Array>({ kind: "plain", operation, body }),

    setDraft: (user: string, text: string) => engine.store.setDraft(user, text),
    drafts: () => engine.store.drafts(),
    ...callsOfRooms(engine),

    async looked(): Promise<void> {
      engine.input((core, now) => core.looked(now));
    },

    async wake(): Promise<void> {
      engine.wake();
    },
  };
}

export type Calls = ReturnType<typeof callsOf>;

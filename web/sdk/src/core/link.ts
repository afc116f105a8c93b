/** The life of the link to the server: dial, log in or resume, break, back off, stop (PROTOCOL.md §2, §12, §18). */

import type { Credential } from "../api";
import { encode } from "../wire/codec";
import { Operation } from "../wire/command";
import * as proto from "../wire/proto";
import { type Core, earliest } from "./core";
import type { BreakReason, Phase, Stopped } from "./event";
import { proof } from "./proof";
import { isEnd, named, refusalOf, refuse } from "./refusal";

/** The shell must have dialled in so long. It waits 3 s for a WebSocket before it polls. */
const CONNECT_MS = 10_000;
/** The server must have let us in so long after the connection was made. */
const AUTHENTICATE_MS = 10_000;
/** The peer is gone when nothing came for so long. */
const SILENCE_MS = 90_000;
/** After a sleep or a new network, a link that does not answer in so long is taken for dead. */
const CHECK_MS = 4_000;
const BACK_OFF_SECONDS_MAX = 30;
/** A session that was live for so long forgives earlier failures. */
const STABLE_AFTER_MS = 2_000;

function credentialOf(credential: Credential): Partial<proto.LoginRequest> {
  if ("token" in credential) return { token: credential.token };
  if ("visitor" in credential) return { visitor: { ...credential.visitor, mark: credential.visitor.mark ?? "" } };
  return { password: { user: credential.user, password: credential.password } };
}

export class LinkControl {
  phase: Phase = { state: "idle" };
  /** A connection stands. */
  open = false;
  private quiet = false;
  /** Failures in a row; the exponent of the back-off. */
  private failures = 0;
  /** End of the back-off, or the latest time for the shell to have dialled, or for the server to have let us in. */
  private wake: number | undefined;
  private liveSince = 0;
  private wroteAt = 0;
  private heardAt = 0;
  /** A sign of life is wanted until then. */
  private checkBy: number | undefined;
  private heartbeatMs = 60_000;
  /** The session was refused: log in, but keep it until that is tried. */
  private logInNext: proto.Refusal | undefined;
  private skipBackOff = false;
  private lastId = 1;

  constructor(private readonly core: Core) {}

  is(state: Phase["state"]): boolean {
    return this.phase.state === state;
  }

  isDown(): boolean {
    return this.is("idle") || this.is("broken") || this.is("stopped");
  }

  nextId(): number {
    return ++this.lastId;
  }

  wrote(now: number): void {
    this.wroteAt = now;
  }

  heard(now: number): void {
    this.heardAt = now;
    this.checkBy = undefined;
  }

  deadline(): number | undefined {
    if (!this.is("live")) return this.wake;
    return earliest(this.checkBy, ...(this.quiet ? [] : [this.wroteAt + this.heartbeatMs, this.heardAt + SILENCE_MS]));
  }

  dial(now: number): void {
    if ((!this.core.session || this.logInNext) && !this.core.credential) {
      const refusal = this.logInNext ?? refuse(proto.RefusalCode.UNAUTHENTICATED, "sign in");
      this.logInNext = undefined;
      return this.stop({ kind: "refused", refusal: refusalOf(refusal) });
    }
    this.wake = now + CONNECT_MS;
    this.core.effect("connect");
    this.set({ state: "connecting" });
  }

  /** The dialled connection stands: continue the session, or log in. */
  connected(now: number, quiet: boolean): void {
    this.open = true;
    this.quiet = quiet;
    this.lastId = 1;
    this.wake = now + AUTHENTICATE_MS;
    this.heard(now);
    const logIn = this.logInNext;
    this.logInNext = undefined;
    if (this.core.session && !logIn) this.resume(now);
    else this.logIn(now);
  }

  private resume(now: number): void {
    const session = this.core.session!;
    session.epoch += 1;
    this.core.keepSession();
    const { cursor, logEpoch } = this.core.inbox;
    const offer = encode(proto.ResumeOffer, { inboxCursor: cursor, logEpoch, limit: this.core.config.syncEntries });
    this.set({ state: "resuming" });
    this.core.write(now, Operation.RESUME, proto.ResumeRequest, {
      id: this.nextId(),
      ticket: session.ticket,
      epoch: session.epoch,
      offer,
      proof: proof(session.secret, session.epoch, session.ticket, offer),
    });
  }

  private logIn(now: number): void {
    const { app, deviceId, client } = this.core.config;
    const credential = this.core.credential!;
    // The login ends the device's earlier session, also if its answer never comes: that must not be resumed and then
    // taken for revoked.
    if (this.core.session) this.core.forgetSession();
    this.set({ state: "authing" });
    this.core.write(now, Operation.LOGIN, proto.LoginRequest, {
      id: this.nextId(),
      app,
      deviceId,
      client,
      term: proto.Term.WEB,
      ...credentialOf(credential),
    });
  }

  loginAnswered(now: number, answer: proto.LoginAnswer): void {
    if (!this.is("authing")) return this.broken(now, "violation");
    const { core } = this;
    if (answer.refusal) {
      if (answer.refusal.retryable) return this.broken(now, "refused", answer.refusal);
      core.credential = undefined;
      return this.stop({ kind: "refused", refusal: refusalOf(answer.refusal) });
    }
    if (answer.resumeSecret.length !== 32) return this.broken(now, "violation");
    // From now on also for a login that follows by itself.
    if (answer.visitorMark && core.credential && "visitor" in core.credential) core.credential.visitor.mark = answer.visitorMark;
    if (core.user !== undefined && core.user !== answer.user) return this.stop({ kind: "otherUser", user: answer.user });
    if (core.user === undefined) {
      core.user = answer.user;
      core.keep({ kind: "user", value: answer.user });
    }
    if (answer.visitorMark) core.keep({ kind: "mark", value: (core.mark = answer.visitorMark) });
    core.session = { user: answer.user, ticket: answer.ticket, secret: answer.resumeSecret, epoch: 0 };
    core.keepSession();
    this.live(now, answer.user, false, answer.heartbeatSeconds);
    core.groups?.wantList();
    core.inbox.afterLogin(now, answer.inboxCursor, answer.inboxHead, answer.logEpoch);
    core.conversations.askMissedReceipts(now);
  }

  resumeAnswered(now: number, { refusal, result }: proto.ResumeAnswer): void {
    const { core } = this;
    if (!this.is("resuming") || !core.session) return this.broken(now, "violation");
    // TLS says who speaks, so a refusal may be believed wherever it stands.
    const no = refusal ?? result?.refusal;
    if (no) {
      this.skipBackOff = !no.retryable;
      return this.sessionRefused(now, no);
    }
    if (!result) return this.broken(now, "violation");
    if (result.ticket.length) core.session.ticket = result.ticket;
    core.keepSession();
    this.live(now, core.session.user, true, result.heartbeatSeconds);
    core.groups?.wantList();
    core.inbox.afterResume(now, result.page);
    core.conversations.askMissedReceipts(now);
  }

  private live(now: number, user: string, resumed: boolean, heartbeatSeconds: number): void {
    this.liveSince = now;
    this.wake = undefined;
    this.heartbeatMs = (heartbeatSeconds || 60) * 1000;
    this.set({ state: "live" });
    this.core.tell({ kind: "signedIn", user, resumed });
  }

  /** The server says that this session cannot be used. */
  sessionRefused(now: number, refusal: proto.Refusal): void {
    if (refusal.code === proto.RefusalCode.KICKED || refusal.code === proto.RefusalCode.REVOKED) {
      this.core.forgetSession();
      const kicked = refusal.code === proto.RefusalCode.KICKED;
      return this.stop(kicked ? { kind: "kicked", byTerm: "", at: 0 } : { kind: "revoked" });
    }
    this.logInNext = refusal.retryable ? undefined : refusal;
    this.broken(now, "refused", refusal);
  }

  kicked(notify: proto.KickoutNotify): void {
    this.core.forgetSession();
    if (notify.reason === proto.KickoutReason.LOGGED_OUT) return this.stop({ kind: "signed-out" });
    const revoked = notify.reason === proto.KickoutReason.SESSION_REVOKED;
    this.stop(revoked ? { kind: "revoked" } : { kind: "kicked", byTerm: named(proto.Term, notify.byTerm), at: notify.timeMs });
  }

  closedByServer(now: number, refusal: proto.Refusal | undefined): void {
    if (refusal?.code === proto.RefusalCode.UNSUPPORTED_VERSION) return this.stop({ kind: "unsupported" });
    if (refusal && isEnd(refusal) && this.is("live")) return this.sessionRefused(now, refusal);
    this.broken(now, "refused", refusal);
  }

  goAway(now: number, notify: proto.GoawayNotify): void {
    // A random part of the time: all clients of the gate hear this at once. The named gates speak TCP; a browser comes
    // back to its own address.
    const wait = this.core.jitter.upTo(notify.reconnectAfterMs);
    this.hangUp(now);
    this.core.effect("disconnect");
    this.backOff(now, wait, "goaway");
  }

  /** Gives the connection up and tries again later. */
  broken(now: number, reason: BreakReason, refusal?: proto.Refusal): void {
    if (this.isDown()) return;
    this.core.effect("disconnect");
    this.brokenByPeer(now, reason, refusal);
  }

  /** As `broken`, when the socket is already gone. */
  brokenByPeer(now: number, reason: BreakReason, refusal?: proto.Refusal): void {
    if (this.is("live") && now - this.liveSince >= STABLE_AFTER_MS) this.failures = 0;
    this.hangUp(now);
    let wait = 0;
    if (!this.skipBackOff) {
      const seconds = Math.min(2 ** Math.min(this.failures, 5), BACK_OFF_SECONDS_MAX);
      this.failures += 1;
      wait = Math.max(this.core.jitter.upTo(seconds * 1000), refusal?.retryAfterMs ?? 0);
    }
    this.skipBackOff = false;
    this.backOff(now, wait, reason, refusal);
  }

  private backOff(now: number, waitMs: number, reason: BreakReason, refusal?: proto.Refusal): void {
    this.wake = now + waitMs;
    this.set({ state: "broken", retryInMs: waitMs, reason, refusal });
    if (waitMs === 0) this.dial(now);
  }

  stop(reason: Stopped): void {
    if (this.is("stopped")) return;
    // The time does not matter: nothing is sent any more, so nothing is measured.
    this.hangUp(this.liveSince);
    this.wake = undefined;
    this.failures = 0;
    this.core.effect("disconnect");
    this.set({ state: "stopped", reason });
    this.core.rooms.endAll();
  }

  /** Back to where `start` begins. */
  rest(now: number): void {
    if (this.is("idle")) return;
    this.hangUp(now);
    this.wake = undefined;
    this.failures = 0;
    this.core.effect("disconnect");
    this.set({ state: "idle" });
  }

  private hangUp(now: number): void {
    this.open = false;
    this.checkBy = undefined;
    this.core.lose(now);
  }

  timeout(now: number): void {
    if (this.wake !== undefined && this.wake <= now) {
      this.wake = undefined;
      if (this.is("broken")) this.dial(now);
      else this.broken(now, this.is("connecting") ? "connectTimeout" : "noAnswer");
    }
    if (!this.is("live")) return;
    if (this.checkBy !== undefined && this.checkBy <= now) {
      this.skipBackOff = true;
      return this.broken(now, "silent");
    }
    if (this.quiet) return;
    if (this.heardAt + SILENCE_MS <= now) return this.broken(now, "silent");
    if (this.wroteAt + this.heartbeatMs <= now) this.keepAlive(now);
  }

  private keepAlive(now: number): void {
    this.core.write(now, Operation.KEEPALIVE, proto.KeepaliveRequest, { id: this.nextId() });
  }

  wakeUp(now: number): void {
    if (this.is("broken")) this.dial(now);
    else if (this.is("live")) {
      // Not twice for a laptop that wakes up, becomes visible and gets online in the same second.
      if (this.checkBy !== undefined) return;
      this.checkBy = now + CHECK_MS;
      this.keepAlive(now);
    } else if (!this.isDown()) this.skipBackOff = true;
  }

  moveOn(now: number): void {
    this.skipBackOff = true;
    this.broken(now, "moved");
  }

  private set(phase: Phase): void {
    this.phase = phase;
    this.core.tell({ kind: "link", phase });
  }
}

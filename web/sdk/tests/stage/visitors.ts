/** What the tiny server knows of visitors: marks, visits, claims. Marks are not signed here; one that it has not given is forged. */
import type { Init } from "../../src/wire/codec";
import * as proto from "../../src/wire/proto";

const VISIT_MS = 30 * 60_000;

interface Known {
  visitor: proto.Visitor;
  claimedBy: string;
}

export class Visitors {
  /** As the clients have told it. */
  readonly arrivals: proto.VisitorCredential[] = [];
  private readonly marks = new Map<string, string>();
  private readonly known = new Map<string, Known>();

  /** A name and a new mark, or the code of a refusal. */
  login(credential: proto.VisitorCredential, now: number): { user: string; mark: string } | number {
    this.arrivals.push(credential);
    let user = this.marks.get(credential.mark);
    if (credential.mark && !user) return proto.RefusalCode.UNAUTHENTICATED;
    if (user && this.known.get(user)!.claimedBy) return proto.RefusalCode.CONFLICT;
    if (!user) {
      user = `~v${this.known.size + 1}`;
      this.known.set(user, { visitor: { visits: 0, firstVisitMs: now, lastVisitMs: -Infinity, page: "", referrer: "", account: "" }, claimedBy: "" });
    }
    const { visitor } = this.known.get(user)!;
    if (now - visitor.lastVisitMs >= VISIT_MS) visitor.visits++;
    Object.assign(visitor, { lastVisitMs: now, page: credential.page, referrer: credential.referrer });
    const mark = `mark${this.marks.size + 1}`;
    this.marks.set(mark, user);
    return { user, mark };
  }

  /** Whose conversations the account has from now on; the second time nothing happens. */
  claim(mark: string, account: string): { visitor: string; isNew: boolean } | number {
    const visitor = this.marks.get(mark);
    if (!visitor) return proto.RefusalCode.UNAUTHENTICATED;
    const known = this.known.get(visitor)!;
    if (known.claimedBy && known.claimedBy !== account) return proto.RefusalCode.CONFLICT;
    const isNew = !known.claimedBy;
    known.claimedBy = known.visitor.account = account;
    return { visitor, isNew };
  }

  /** What a list says of this person. */
  about(user: string): Init<proto.Conversation> {
    const known = this.known.get(user);
    return known ? { visitor: known.visitor } : {};
  }

  claimedBy(account: string): string[] {
    return [...this.known].flatMap(([user, { claimedBy }]) => (claimedBy === account ? [user] : []));
  }
}

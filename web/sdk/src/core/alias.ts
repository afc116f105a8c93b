/**
 * The name under which a device keeps a conversation: the other person's; and for what was said with them as a visitor,
 * before the account claimed it, both names in one, as in `shop~4kq`. Only the names of visitors have a `~`, and no visitor
 * talks with another (PROTOCOL.md §14).
 */

const VISITOR = "~";

export const isVisitor = (user: string): boolean => user.startsWith(VISITOR);

export const nameOf = ({ user, asVisitor }: { user: string; asVisitor: string }): string => user + asVisitor;

export function partsOf(name: string): { user: string; asVisitor: string } {
  const at = name.indexOf(VISITOR, 1);
  return at < 0 ? { user: name, asVisitor: "" } : { user: name.slice(0, at), asVisitor: name.slice(at) };
}

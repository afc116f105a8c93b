/**
 * The name under which a device keeps a conversation, everywhere in this SDK and in what applications see:
 *
 * - of a person: their own;
 * - of a group: `#` and its id, which may be some person's name, too;
 * - of what was said with a person as a visitor, before the account claimed it: both names in one, as in `shop~4kq`. Only the
 *   names of visitors have a `~`, and no visitor talks with another (PROTOCOL.md §14).
 *
 * One string, because it is a key of maps, databases and addresses. No name of the protocol has a `#`.
 */

const VISITOR = "~";
const GROUP = "#";

export const isVisitor = (name: string): boolean => name.startsWith(VISITOR);

export const isGroup = (name: string): boolean => name.startsWith(GROUP);

export const groupName = (group: string): string => GROUP + group;

export const nameOf = ({ user, asVisitor }: { user: string; asVisitor: string }): string => user + asVisitor;

export function partsOf(name: string): { user: string; asVisitor: string } {
  const at = name.indexOf(VISITOR, 1);
  return at < 0 ? { user: name, asVisitor: "" } : { user: name.slice(0, at), asVisitor: name.slice(at) };
}

/** How a request names the conversation. */
export const to = (name: string): { user?: string | undefined; asVisitor?: string; group?: string } =>
  isGroup(name) ? { user: undefined, group: name.slice(1) } : partsOf(name);

/** What a message of the protocol is about that has `group` instead of `user`. */
export const about = ({ user, group }: { user?: string | undefined; group?: string | undefined }): string => (group ? groupName(group) : (user ?? ""));

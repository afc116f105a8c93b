/** Which conversation is open, kept in the address after `#`: the browser's back button and reloading work. */
import { groupIn, isGroup, isName, partsOf } from "./names.js";
import { Signal } from "./signal.js";

function read(): string | undefined {
  const written = location.hash.slice(1);
  try {
    const name = decodeURIComponent(written);
    const { user, asVisitor } = partsOf(name);
    if (isGroup(name)) return isName(groupIn(name)) ? name : undefined;
    return isName(user) && (asVisitor === undefined || isName(asVisitor)) ? name : undefined;
  } catch {
    // Half an escape, such as `#%`: an address that somebody has cut off.
    return undefined;
  }
}

/** An invitation into a group, by its address: `#join/<group>` or `#join/<group>/<link>`. */
export interface Invitation {
  group: string;
  link: string;
}

function readInvitation(): Invitation | undefined {
  const [, group = "", link = ""] = /^#join\/([^/]+)(?:\/([A-Za-z0-9._~-]+))?$/.exec(location.hash) ?? [];
  return isName(group) ? { group, link } : undefined;
}

export const route = new Signal<string | undefined>(read());
export const invitation = new Signal<Invitation | undefined>(readInvitation());

addEventListener("hashchange", () => {
  route.set(read());
  invitation.set(readInvitation());
});

/** The address that brings others to the same question. */
export const invitationAddress = ({ group, link }: Invitation): string => `${location.origin}${location.pathname}#join/${group}${link && `/${link}`}`;

/** The question was answered. */
export function endInvitation(): void {
  history.replaceState(null, "", location.pathname + location.search);
  invitation.set(undefined);
}

export function go(user: string | undefined): void {
  if (user === route.get()) return;
  const address = location.pathname + location.search + (user ? `#${encodeURIComponent(user)}` : "");
  // From one conversation to another there is one step back: to the list.
  if (user && route.get() === undefined) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  route.set(user);
}

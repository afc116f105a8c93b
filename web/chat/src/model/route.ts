/** Which conversation is open, kept in the address after `#`: the browser's back button and reloading work. */
import { isName, partsOf } from "./names.js";
import { Signal } from "./signal.js";

function read(): string | undefined {
  const written = location.hash.slice(1);
  try {
    const name = decodeURIComponent(written);
    const { user, asVisitor } = partsOf(name);
    return isName(user) && (asVisitor === undefined || isName(asVisitor)) ? name : undefined;
  } catch {
    // Half an escape, such as `#%`: an address that somebody has cut off.
    return undefined;
  }
}

export const route = new Signal<string | undefined>(read());

addEventListener("hashchange", () => route.set(read()));

export function go(user: string | undefined): void {
  if (user === route.get()) return;
  const address = location.pathname + location.search + (user ? `#${encodeURIComponent(user)}` : "");
  // From one conversation to another there is one step back: to the list.
  if (user && route.get() === undefined) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  route.set(user);
}

/** Which way the page is told to speak: a WebSocket, with polls where none comes through, or polls only. */

import { element } from "./element";
import { words } from "./words";

export type Transport = "websocket" | "poll";

export const transport: Transport = new URLSearchParams(location.search).get("transport") === "poll" ? "poll" : "websocket";

/** A switch. The page begins anew with the other one, in the same session and under the same name. */
export function choose(now: Transport): HTMLElement {
  const group = element("div", { class: "switch", role: "group", "aria-label": words.transport });
  for (const one of ["websocket", "poll"] as const) {
    const button = element("button", { type: "button", "aria-pressed": String(one === now) }, words[one]);
    button.addEventListener("click", () => {
      const address = new URL(location.href);
      if (one === "poll") address.searchParams.set("transport", one);
      else address.searchParams.delete("transport");
      location.assign(address);
    });
    group.append(button);
  }
  return group;
}

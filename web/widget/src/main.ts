/**
 * Where the widget begins: reads the attributes of its own script element and puts the button on the page. A page may call
 * `hongyan.open()`, `hongyan.close()`, and `hongyan.mark()`, which an account claims with the SDK after it has signed in.
 */
import { createVisitorClient, visitorMark } from "@hongyan/sdk/visitor";
import { settingsOf } from "./settings";
import { Talk } from "./talk";
import { Frame } from "./view/frame";

declare global {
  interface Window {
    hongyan?: { open(): void; close(): void; mark(): string | undefined };
  }
}

/** What the widget calls itself at the server. */
const CLIENT = "Hongyan widget 0.1.0";

function begin(script: HTMLScriptElement): void {
  const settings = settingsOf(script, document.documentElement.lang, navigator.languages);
  const { server, app, merchant } = settings;
  const talk = new Talk(merchant, {
    client: () => createVisitorClient({ server, app, client: CLIENT }),
    isKnown: () => visitorMark({ server, app }) !== undefined,
    place: () => ({ page: location.href, referrer: document.referrer }),
    clock: Date.now,
  });
  const frame = new Frame(talk, settings);
  window.hongyan = { open: () => frame.open(), close: () => frame.close(), mark: () => visitorMark({ server, app }) };
  frame.mount();
  void talk.resume();
  // Another tab has begun to speak.
  addEventListener("storage", () => void talk.resume());
}

const script = document.currentScript;
if (script instanceof HTMLScriptElement && !window.hongyan) {
  if (document.body) begin(script);
  else addEventListener("DOMContentLoaded", () => begin(script));
}

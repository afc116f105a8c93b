/** The two panes, which of them a phone shows, and what is true for the whole window: shortcuts, toasts. */
import { useEffect, useRef } from "react";
import { go, invitation, route } from "../model/route.js";
import { problem, useSpeech } from "../words/speech.js";
import { Banner } from "./banner.js";
import { Icon, Logo } from "./icons.js";
import { JoinGroup, Layer, useLayersSoon } from "./layer.js";
import { Pane } from "./pane.js";
import { Sidebar } from "./sidebar.js";
import { useChat, useSignal } from "./watch.js";

const MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);

export function ChatScreen() {
  const chat = useChat();
  const open = useSignal(chat.open);
  const id = useSignal(route);
  const invited = useSignal(invitation);
  const search = useRef<HTMLInputElement>(null);

  useLayersSoon();
  useEffect(() => chat.show(id), [chat, id]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        search.current?.focus();
        search.current?.select();
      } else if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("[data-base-ui-portal] [data-open]")) {
        go(undefined);
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  return (
    <div className={`screen ${open ? "in-conversation" : "in-list"}`}>
      <aside className="sidebar">
        <Sidebar search={search} />
        <Banner />
      </aside>
      <main className="pane">{open ? <Pane key={open.id} timeline={open} /> : <Nobody />}</main>
      <Layer open={invited !== undefined}>
        <JoinGroup invitation={invited} />
      </Layer>
      <Told />
    </div>
  );
}

function Nobody() {
  const { words } = useSpeech();
  return (
    <div className="nobody">
      <span className="nobody-mark">
        <Logo size={84} />
      </span>
      <h2>{words.pickTitle}</h2>
      <p>{words.pickHint}</p>
      <dl className="nobody-keys">
        <div>
          <dt>
            <kbd>{MAC ? "⌘" : "Ctrl"}</kbd> <kbd>K</kbd>
          </dt>
          <dd>{words.shortcutFind}</dd>
        </div>
        <div>
          <dt>
            <kbd>↑</kbd>
          </dt>
          <dd>{words.shortcutEdit}</dd>
        </div>
        <div>
          <dt>
            <kbd>⇧</kbd> <kbd>↵</kbd>
          </dt>
          <dd>{words.shortcutLine}</dd>
        </div>
      </dl>
    </div>
  );
}

function Told() {
  const { words } = useSpeech();
  const toast = useSignal(useChat().toast);
  return (
    <div className="toasts" role="status">
      {toast && (
        <div className="toast" key={toast.id}>
          {toast.text === "copied" || toast.text === "joinPending" ? <Icon name="check" size={18} /> : <Icon name="warning" size={18} />}
          {toast.text === "copied" ? words.copied : toast.text === "denied" ? words.notificationsDenied : toast.text === "joinPending" ? words.joinPending : problem(toast.text, words, toast.ofGroup)}
        </div>
      )}
    </div>
  );
}

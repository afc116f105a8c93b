/** One conversation: its head, its messages, and where one writes. Holds what the composer is about to do. */
import type { Message } from "@hongyan/sdk";
import { useCallback, useState } from "react";
import { go } from "../model/route.js";
import type { Timeline } from "../model/timeline.js";
import { useSpeech } from "../words/speech.js";
import { Composer, type Intent } from "./composer.js";
import { Layer, PaneMenu } from "./layer.js";
import { MessageList } from "./message-list.js";
import { Avatar, IconButton } from "./parts.js";
import { useChat, useSignal } from "./watch.js";

export function Pane({ timeline }: { timeline: Timeline }) {
  const { user } = timeline;
  const [intent, setIntent] = useState<Intent>();
  const reply = useCallback((message: Message) => setIntent({ kind: "reply", message }), []);
  const edit = useCallback((message: Message) => setIntent({ kind: "edit", message }), []);
  return (
    <>
      <Head user={user} />
      <MessageList timeline={timeline} onReply={reply} onEdit={edit} />
      <Composer user={user} timeline={timeline} intent={intent} onIntent={setIntent} />
    </>
  );
}

function Head({ user }: { user: string }) {
  const chat = useChat();
  const { words } = useSpeech();
  const typing = useSignal(chat.typing).has(user);
  const conversations = useSignal(chat.conversations);
  const blocked = conversations.find((conversation) => conversation.user === user)?.blocked ?? false;
  const [menuAt, setMenuAt] = useState<Element>();
  return (
    <header className="pane-head">
      <IconButton icon="back" label={words.back} className="pane-back" onClick={() => go(undefined)} />
      <Avatar name={user} size="small" />
      <div className="pane-person">
        <h2>
          <bdi>{user}</bdi>
        </h2>
        {blocked ? <p>{words.blocked}</p> : typing && <p className="is-typing">{words.typing}<Dots /></p>}
      </div>
      <IconButton icon="more" label={words.more} className="tip-end" aria-haspopup="menu" aria-expanded={menuAt !== undefined} onClick={(event) => setMenuAt(event.currentTarget)} />
      <Layer open={menuAt !== undefined}>
        <PaneMenu user={user} blocked={blocked} anchor={menuAt} onClose={() => setMenuAt(undefined)} />
      </Layer>
    </header>
  );
}

export const Dots = () => (
  <span className="dots" aria-hidden="true">
    <i />
    <i />
    <i />
  </span>
);

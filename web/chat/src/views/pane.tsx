/** One conversation: its head, its messages, and where one writes. Holds what the composer is about to do. */
import type { Conversation, Message } from "@hongyan/sdk";
import { useCallback, useState } from "react";
import { called, idOf } from "../model/names.js";
import { go } from "../model/route.js";
import type { Timeline } from "../model/timeline.js";
import { useSpeech } from "../words/speech.js";
import { Composer, type Intent } from "./composer.js";
import { Layer, PaneMenu } from "./layer.js";
import { MessageList } from "./message-list.js";
import { Avatar, IconButton } from "./parts.js";
import { Earlier, ReadOnlyNote, VisitorLine } from "./visitor.js";
import { useChat, useSignal } from "./watch.js";

export function Pane({ timeline }: { timeline: Timeline }) {
  const { id, user } = timeline;
  const conversation = useSignal(useChat().conversations).find((known) => idOf(known) === id);
  const [intent, setIntent] = useState<Intent>();
  const reply = useCallback((message: Message) => setIntent({ kind: "reply", message }), []);
  const edit = useCallback((message: Message) => setIntent({ kind: "edit", message }), []);
  return (
    <>
      <Head id={id} user={user} conversation={conversation} />
      {id === user && <Earlier id={id} user={user} />}
      <MessageList timeline={timeline} onReply={reply} onEdit={edit} />
      {conversation?.readOnly ? <ReadOnlyNote conversation={conversation} /> : <Composer user={user} timeline={timeline} intent={intent} onIntent={setIntent} />}
    </>
  );
}

function Head({ id, user, conversation }: { id: string; user: string; conversation: Conversation | undefined }) {
  const chat = useChat();
  const { words } = useSpeech();
  const typing = useSignal(chat.typing).has(id);
  const blocked = conversation?.blocked ?? false;
  const [menuAt, setMenuAt] = useState<Element>();
  return (
    <header className="pane-head">
      <IconButton icon="back" label={words.back} className="pane-back" onClick={() => go(undefined)} />
      <Avatar name={user} size="small" />
      <div className="pane-person">
        <h2>
          <bdi>{called(user, words)}</bdi>
        </h2>
        <Below conversation={conversation} typing={typing} />
      </div>
      <IconButton icon="more" label={words.more} className="tip-end" aria-haspopup="menu" aria-expanded={menuAt !== undefined} onClick={(event) => setMenuAt(event.currentTarget)} />
      <Layer open={menuAt !== undefined}>
        <PaneMenu user={user} blocked={blocked} anchor={menuAt} onClose={() => setMenuAt(undefined)} />
      </Layer>
    </header>
  );
}

/** The line below the name: what matters most just now. */
function Below({ conversation, typing }: { conversation: Conversation | undefined; typing: boolean }) {
  const { words } = useSpeech();
  if (conversation?.blocked) return <p>{words.blocked}</p>;
  if (typing) return <p className="is-typing">{words.typing}<Dots /></p>;
  if (conversation?.asVisitor) return <p>{words.asVisitor}</p>;
  return conversation?.visitor ? <VisitorLine visitor={conversation.visitor} /> : null;
}

export const Dots = () => (
  <span className="dots" aria-hidden="true">
    <i />
    <i />
    <i />
  </span>
);

/** One conversation: its head, its messages, and where one writes. Holds what the composer is about to do. */
import type { Conversation, Message } from "@hongyan/sdk";
import { useCallback, useState } from "react";
import { idOf, isGroup, titleOf } from "../model/names.js";
import { go } from "../model/route.js";
import type { Timeline } from "../model/timeline.js";
import { useSpeech } from "../words/speech.js";
import { Composer, type Intent } from "./composer.js";
import { GroupNote, PinnedBar, useMute } from "./group.js";
import { GroupPanel, Layer, PaneMenu } from "./layer.js";
import { MessageList } from "./message-list.js";
import { useNames } from "./names.js";
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
      <Head id={id} user={user} conversation={conversation} timeline={timeline} />
      {conversation?.group && <PinnedBar group={conversation.group} timeline={timeline} />}
      {id === user && <Earlier id={id} user={user} />}
      <MessageList timeline={timeline} onReply={reply} onEdit={edit} />
      <Bottom conversation={conversation} timeline={timeline} intent={intent} onIntent={setIntent} />
    </>
  );
}

interface BottomProps {
  conversation: Conversation | undefined;
  timeline: Timeline;
  intent: Intent;
  onIntent: (intent: Intent) => void;
}

/** Where one writes, or why one cannot. */
function Bottom({ conversation, timeline, intent, onIntent }: BottomProps) {
  const mute = useMute(conversation?.group);
  if (conversation?.readOnly && !conversation.group) return <ReadOnlyNote conversation={conversation} />;
  if (conversation?.group && (conversation.readOnly || mute)) return <GroupNote group={conversation.group} mute={mute} />;
  return <Composer user={timeline.user} group={conversation?.group} timeline={timeline} intent={intent} onIntent={onIntent} />;
}

function Head({ id, user, conversation, timeline }: { id: string; user: string; conversation: Conversation | undefined; timeline: Timeline }) {
  const chat = useChat();
  const { words } = useSpeech();
  const typing = useSignal(chat.typing).get(id);
  const [informed, setInformed] = useState(false);
  const title = titleOf(conversation ?? { user }, words);
  const blocked = conversation?.blocked ?? false;
  const [menuAt, setMenuAt] = useState<Element>();
  return (
    <header className="pane-head">
      <IconButton icon="back" label={words.back} className="pane-back" onClick={() => go(undefined)} />
      <Avatar name={user} title={title} size="small" />
      <div className="pane-person">
        <h2>
          <bdi>{title}</bdi>
        </h2>
        <Below conversation={conversation} typing={typing} />
      </div>
      {conversation?.group && (
        <>
          <IconButton icon="people" label={words.groupInfo} className="tip-end" aria-haspopup="dialog" aria-expanded={informed} onClick={() => setInformed(true)} />
          <Layer open={informed}>
            <GroupPanel conversation={conversation} timeline={timeline} open={informed} onClose={() => setInformed(false)} />
          </Layer>
        </>
      )}
      {!isGroup(id) && <IconButton icon="more" label={words.more} className="tip-end" aria-haspopup="menu" aria-expanded={menuAt !== undefined} onClick={(event) => setMenuAt(event.currentTarget)} />}
      <Layer open={menuAt !== undefined}>
        <PaneMenu user={user} blocked={blocked} anchor={menuAt} onClose={() => setMenuAt(undefined)} />
      </Layer>
    </header>
  );
}

/** The line below the name: what matters most just now. */
function Below({ conversation, typing }: { conversation: Conversation | undefined; typing: readonly string[] | undefined }) {
  const { words } = useSpeech();
  const nameOf = useNames();
  if (conversation?.blocked) return <p>{words.blocked}</p>;
  if (conversation?.group) {
    if (typing) return <p className="is-typing">{words.somebodyTypes(typing.map(nameOf))}<Dots /></p>;
    return <p>{conversation.group.dissolved ? words.dissolvedNote : words.groupMembers(conversation.group.memberCount)}</p>;
  }
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

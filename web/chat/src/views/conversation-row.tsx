/** One conversation in the list. */
import type { Conversation } from "@hongyan/sdk";
import { memo } from "react";
import { called, idOf, isGroup, titleOf } from "../model/names.js";
import { pathOf } from "../model/place.js";
import { preview } from "../model/preview.js";
import { sendState } from "../model/ticks.js";
import { useSpeech } from "../words/speech.js";
import { Icon, Ticks } from "./icons.js";
import { Avatar } from "./parts.js";
import { useChat, useSignal } from "./watch.js";

export const ROW_PX = 72;
const BADGE_MAX = 999;

interface Props {
  conversation: Conversation;
  index: number;
  open: boolean;
  onChoose: (id: string) => void;
}

export const ConversationRow = memo(function ConversationRow({ conversation, index, open, onChoose }: Props) {
  const { words, clock } = useSpeech();
  const { user, last, unread, blocked, visitor, group } = conversation;
  const title = titleOf(conversation, words);
  const page = visitor && !visitor.account && pathOf(visitor.page);
  return (
    <button type="button" className="conversation" data-row={index} aria-current={open ? "true" : undefined} onClick={() => onChoose(idOf(conversation))}>
      <Avatar name={user} title={title} />
      <span className="conversation-main">
        <span className="conversation-line">
          <span className="conversation-name">
            {group && <Icon name="people" size={16} />}
            <bdi>{title}</bdi>
            <Past conversation={conversation} />
          </span>
          {last && <time dateTime={new Date(last.time).toISOString()}>{clock.brief(last.time)}</time>}
        </span>
        <span className="conversation-line">
          {page && (
            <span className="conversation-page" title={visitor?.page}>
              {page}
            </span>
          )}
          <Last conversation={conversation} open={open} />
          {blocked && (
            <span className="conversation-blocked" title={words.blocked}>
              <Icon name="block" size={16} />
              <span className="unseen">{words.blocked}</span>
            </span>
          )}
          {group && group.mentionSeq > 0 && (
            <span className="badge mention-mark">
              <span aria-hidden="true">@</span>
              <span className="unseen">{words.mentioned}</span>
            </span>
          )}
          {unread > 0 && (
            <span className="badge">
              <span aria-hidden="true">{unread > BADGE_MAX ? `${BADGE_MAX}+` : unread}</span>
              <span className="unseen">{words.unread(unread)}</span>
            </span>
          )}
        </span>
      </span>
    </button>
  );
});

/** Behind a name: how often a visitor came, and what became of them. */
function Past({ conversation: { visitor, asVisitor } }: { conversation: Conversation }) {
  const { words } = useSpeech();
  if (!visitor && !asVisitor) return null;
  const said = asVisitor ? words.asVisitor : visitor?.account ? words.nowAccount(visitor.account) : words.visit(visitor?.visits ?? 1);
  return <span className="conversation-visit"> · {said}</span>;
}

function Last({ conversation, open }: { conversation: Conversation; open: boolean }) {
  const chat = useChat();
  const { words } = useSpeech();
  const id = idOf(conversation);
  const last = useSignal(chat.waiting).get(id) ?? conversation.last;
  const typing = useSignal(chat.typing).get(id);
  const draft = useSignal(chat.drafts).get(id);
  if (typing) return <span className="conversation-last is-typing">{isGroup(id) ? words.somebodyTypes(typing.map((user) => called(user, words))) : words.typingLong}</span>;
  if (draft && !open) {
    return (
      <span className="conversation-last">
        <span className="is-draft">{words.draft}</span> <bdi>{draft.slice(0, 100)}</bdi>
      </span>
    );
  }
  if (!last) return <span className="conversation-last" />;
  // Who of a group has read it is asked for one message at a time.
  const state = isGroup(id) && last.seq !== undefined ? undefined : sendState(last, conversation);
  return (
    <>
      {state && !last.recalled && <Ticks state={state} label={words[state]} />}
      <span className="conversation-last">
        {last.type !== "text" && last.type !== "custom" && !last.recalled && <Icon name={last.type} size={16} />}
        {isGroup(id) && !last.event && !last.recalled && <span className="conversation-sender">{last.own ? words.you : `${called(last.sender ?? "", words)}:`}</span>}
        <bdi>{preview(last, words, chat.me)}</bdi>
      </span>
    </>
  );
}

/** Where one writes: grows with the text, keeps drafts, sends on Enter, answers and edits. */
import type { Group, Message } from "@hongyan/sdk";
import { type KeyboardEvent, type MouseEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import { complete, mentionsIn, stretches } from "../model/mentions.js";
import { bytesOf, called, TEXT_BYTES_MAX, titleOf } from "../model/names.js";
import { preview } from "../model/preview.js";
import type { Timeline } from "../model/timeline.js";
import { direction } from "../text/parse.js";
import { EVERYBODY, useSpeech } from "../words/speech.js";
import { Icon } from "./icons.js";
import { EmojiPicker, Layer } from "./layer.js";
import { LIST_ID, MentionPicker, optionId, usePicking } from "./mention-picker.js";
import { useMembers, useNames } from "./names.js";
import { IconButton } from "./parts.js";
import { useChat, useSignal } from "./watch.js";

export type Intent = { kind: "reply" | "edit"; message: Message } | undefined;

const HEIGHT_PX_MAX = 200;
const REOPEN_MS = 250;

interface Props {
  user: string;
  group?: Group | undefined;
  timeline: Timeline;
  intent: Intent;
  onIntent: (intent: Intent) => void;
}

/** On a phone's keyboard Enter begins a line; the button sends. */
const touch = (): boolean => matchMedia("(pointer: coarse)").matches;

export function Composer({ user, group, timeline, intent, onIntent }: Props) {
  const chat = useChat();
  const { words } = useSpeech();
  const blocked = useSignal(chat.conversations).find((conversation) => conversation.user === user)?.blocked ?? false;
  const [draft, setDraft] = useState(() => chat.drafts.get().get(user) ?? "");
  const [edited, setEdited] = useState("");
  const [emojiAt, setEmojiAt] = useState<Element>();
  const [caret, setCaret] = useState(0);
  const members = useMembers();
  const field = useRef<HTMLTextAreaElement>(null);
  const closedAt = useRef(-REOPEN_MS);
  const editing = intent?.kind === "edit";
  const text = editing ? edited : draft;
  const excess = bytesOf(text) - TEXT_BYTES_MAX;
  const ready = text.trim() !== "" && excess <= 0;

  const write = (next: string) => {
    if (editing) return setEdited(next);
    setDraft(next);
    chat.setDraft(user, next);
    chat.tellTyping(user, next.trim() === "");
  };

  useEffect(() => {
    if (intent?.kind === "edit") setEdited(intent.message.text);
    if (intent) field.current?.focus();
  }, [intent]);

  useEffect(() => {
    if (!touch()) field.current?.focus();
    return () => chat.tellTyping(user, true);
  }, [chat, user]);

  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, HEIGHT_PX_MAX)}px`;
    element.style.overflowY = element.scrollHeight > HEIGHT_PX_MAX ? "auto" : "hidden";
  }, [text, blocked]);

  const placeCaret = (at: number) =>
    requestAnimationFrame(() => {
      field.current?.focus();
      field.current?.setSelectionRange(at, at);
      setCaret(at);
    });

  const picking = usePicking(group, text, caret, (at, name) => {
    const next = complete(text, caret, at, name);
    write(next.text);
    placeCaret(next.caret);
  });

  /** To whom a text of a group speaks. */
  const spokenTo = (words: string) => {
    if (!group) return {};
    const all = group.role !== "member" && stretches(words, EVERYBODY).some(({ name }) => name !== undefined);
    return { mentions: mentionsIn(words, members.values()), ...(all && { mentionAll: true }) };
  };

  const submit = () => {
    if (!ready) return;
    const words = text.trim();
    if (editing) {
      if (words !== intent.message.text) void chat.edit(intent.message, words);
    } else {
      setDraft("");
      const replyTo = intent?.message.seq;
      void chat.send(user, words, { ...spokenTo(words), ...(replyTo !== undefined && { replyTo }) });
    }
    onIntent(undefined);
    field.current?.focus();
  };

  const onKey = (event: KeyboardEvent) => {
    // While an input method composes, Enter and the arrows belong to it.
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    if (picking?.onKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && !touch()) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && intent) {
      event.preventDefault();
      onIntent(undefined);
    } else if (event.key === "ArrowUp" && text === "") {
      const last = lastEditable(timeline, chat.lateAfterMs.get());
      if (!last) return;
      event.preventDefault();
      onIntent({ kind: "edit", message: last });
    }
  };

  // A press on the button while the picker is open closes it from outside before the click arrives.
  const closeEmoji = () => {
    closedAt.current = performance.now();
    setEmojiAt(undefined);
  };
  const toggleEmoji = (event: MouseEvent<HTMLButtonElement>) => {
    if (performance.now() - closedAt.current > REOPEN_MS) setEmojiAt(event.currentTarget);
  };

  const insert = (emoji: string) => {
    const element = field.current;
    const at = element?.selectionStart ?? text.length;
    const to = element?.selectionEnd ?? at;
    write(text.slice(0, at) + emoji + text.slice(to));
    setEmojiAt(undefined);
    placeCaret(at + emoji.length);
  };

  if (blocked) {
    return (
      <div className="composer blocked">
        <p>{words.blockedNote(called(user, words))}</p>
        <button type="button" className="button quiet" onClick={() => void chat.block(user, false)}>
          {words.unblock}
        </button>
      </div>
    );
  }

  return (
    <div className="composer">
      <div className="composer-box">
        {picking && <MentionPicker picking={picking} />}
        {intent && <About intent={intent} onCancel={() => onIntent(undefined)} />}
        <div className="composer-line">
          <IconButton icon="smile" label={words.emoji} aria-haspopup="dialog" aria-expanded={emojiAt !== undefined} onClick={toggleEmoji} />
          <textarea
            ref={field}
            rows={1}
            value={text}
            dir={text ? direction(text) : "auto"}
            placeholder={words.compose}
            aria-label={words.composeTo(titleOf({ user, group }, words))}
            role={group && "combobox"}
            aria-autocomplete={group && "list"}
            aria-expanded={group && picking !== undefined}
            aria-controls={picking && LIST_ID}
            aria-activedescendant={picking && optionId(picking.chosen)}
            enterKeyHint={touch() ? "enter" : "send"}
            onChange={(event) => {
              write(event.target.value);
              setCaret(event.target.selectionStart);
            }}
            onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
            onKeyDown={onKey}
            onBlur={() => chat.tellTyping(user, true)}
          />
          {excess > -200 && (
            <span className={`composer-count ${excess > 0 ? "over" : ""}`} role={excess > 0 ? "alert" : undefined}>
              {excess > 0 ? words.tooLong(excess) : -excess}
            </span>
          )}
        </div>
      </div>
      <button type="button" className="send" aria-label={editing ? words.save : words.send} title={editing ? words.save : words.send} disabled={!ready} onClick={submit}>
        <Icon name={editing ? "check" : "send"} size={22} />
      </button>
      <Layer open={emojiAt !== undefined}>
        <EmojiPicker anchor={emojiAt} onPick={insert} onClose={closeEmoji} />
      </Layer>
    </div>
  );
}

/** What is answered or edited, above the field. */
function About({ intent, onCancel }: { intent: NonNullable<Intent>; onCancel: () => void }) {
  const { words } = useSpeech();
  const nameOf = useNames();
  const { kind, message } = intent;
  const title = kind === "edit" ? words.editing : message.own ? words.replyingToYou : words.replyingTo(nameOf(message.sender ?? message.user));
  return (
    <div className="composer-about">
      <Icon name={kind === "edit" ? "pen" : "reply"} size={20} />
      <div>
        <b>{title}</b>
        <span dir="auto">{preview(message, words)}</span>
      </div>
      <IconButton icon="close" size={18} label={kind === "edit" ? words.cancelEdit : words.cancelReply} onClick={onCancel} />
    </div>
  );
}

function lastEditable(timeline: Timeline, lateAfterMs: number): Message | undefined {
  const { messages } = timeline.view.get().segment;
  const last = messages.findLast((message) => message.own && message.seq !== undefined && message.type === "text" && !message.recalled);
  return last && Date.now() - last.time < lateAfterMs ? last : undefined;
}

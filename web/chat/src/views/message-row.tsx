/** One message: its bubble, quote, reactions, time and ticks, and what can be done with it on hover. */
import type { Message, SendState } from "@hongyan/sdk";
import { memo, type MouseEvent, type PointerEvent, useEffect, useMemo, useRef } from "react";
import { hueOf, isGroup } from "../model/names.js";
import { preview } from "../model/preview.js";
import type { Timeline } from "../model/timeline.js";
import { direction, onlyEmoji } from "../text/parse.js";
import { Rich } from "../text/rich.js";
import { EVERYBODY, useSpeech } from "../words/speech.js";
import { Icon, Ticks } from "./icons.js";
import type { MenuAt } from "./anchor.js";
import { useMembers, useNames } from "./names.js";
import { Avatar } from "./parts.js";
import { useChat, useSignal } from "./watch.js";

/** A finger that rests this long asks for the menu. */
const LONG_PRESS_MS = 420;

interface Props {
  message: Message;
  timeline: Timeline;
  begins: boolean;
  ends: boolean;
  state: SendState | undefined;
  flash: boolean;
  onJump: (seq: number) => void;
  onReply: (message: Message) => void;
  onMenu: (at: MenuAt) => void;
}

/** What has happened to a group: a line, and nothing that can be done with it. */
export const EventRow = memo(function EventRow({ message }: { message: Message }) {
  const { words, clock } = useSpeech();
  const nameOf = useNames();
  return (
    <p className="message-event" data-bubble tabIndex={-1}>
      <span title={clock.full(message.time)}>{preview(message, words, useChat().me, nameOf)}</span>
    </p>
  );
});

export const MessageRow = memo(function MessageRow(props: Props) {
  const { message, timeline, begins, ends, state, flash, onReply, onMenu } = props;
  const { words, clock } = useSpeech();
  const nameOf = useNames();
  // Beside the messages of others in a group stands who wrote them.
  const sender = message.own ? undefined : message.sender;
  const big = message.type === "text" && !message.recalled && message.replyTo === undefined ? onlyEmoji(message.text) : 0;
  const press = usePress(message, onMenu);
  const usable = !message.recalled && message.seq !== undefined && !timeline.readOnly;

  const className = [
    "message",
    message.own ? "own" : "other",
    sender !== undefined && "by-sender",
    begins && "begins",
    ends && "ends",
    flash && "flash",
    message.edited && "edited",
    message.type === "text" && direction(message.text) === "rtl" && "rtl",
    big > 0 && `big big-${Math.min(big, 4)}`,
    message.recalled && "recalled",
    state === "failed" && "failed",
  ];

  return (
    <div className={className.filter(Boolean).join(" ")}>
      <div className="bubble-line">
        {sender !== undefined && ends && <Avatar name={sender} title={nameOf(sender)} size="tiny" />}
        <div className="bubble" data-bubble tabIndex={-1} {...press}>
          {ends && big === 0 && <Tail />}
          {sender !== undefined && (
            <span className={begins ? `sender hue-${hueOf(sender)}` : "unseen"}>
              <bdi>{nameOf(sender)}</bdi>
            </span>
          )}
          {message.replyTo !== undefined && !message.recalled && <Quote seq={message.replyTo} {...props} />}
          <Body message={message} />
          <span className="meta">
            {message.edited && !message.recalled && <span className="meta-edited">{words.edited}</span>}
            <time dateTime={new Date(message.time).toISOString()} title={clock.full(message.time)}>
              {clock.time(message.time)}
            </time>
            {state && !message.recalled && <Ticks state={state} label={words[state]} />}
          </span>
        </div>
        {usable && (
          <div className="hover-actions">
            <button type="button" tabIndex={-1} aria-label={words.react} title={words.react} onClick={(event) => onMenu({ message, anchor: event.currentTarget, emoji: true })}>
              <Icon name="smile" size={19} />
            </button>
            <button type="button" tabIndex={-1} aria-label={words.reply} title={words.reply} onClick={() => onReply(message)}>
              <Icon name="reply" size={19} />
            </button>
            <button type="button" tabIndex={-1} aria-label={words.messageActions} title={words.more} onClick={(event) => onMenu({ message, anchor: event.currentTarget })}>
              <Icon name="more" size={19} />
            </button>
          </div>
        )}
      </div>
      {message.reactions.length > 0 && !message.recalled && <Reactions message={message} fixed={timeline.readOnly} />}
      {state === "failed" && <Failed message={message} />}
    </div>
  );
});

const Tail = () => (
  <svg className="tail" width="9" height="15" viewBox="0 0 9 15" aria-hidden="true">
    <path d="M9 0v15H1.200C-.1 15-.4 13.600.600 12.900 6 9.500 8.200 5.500 9 0Z" />
  </svg>
);

function Body({ message }: { message: Message }) {
  const { words } = useSpeech();
  const nameOf = useNames();
  const mentioned = useMentioned(message);
  if (message.recalled) {
    return (
      <span className="body recalled-body">
        <Icon name="block" size={16} />
        {preview(message, words, "", nameOf)}
      </span>
    );
  }
  if (message.type === "image") {
    return (
      <span className="picture" role="img" aria-label={words.kinds.image}>
        <Icon name="image" size={40} />
        <small>{words.kindHint}</small>
      </span>
    );
  }
  if (message.type !== "text") {
    return (
      <span className="attachment">
        <span className="attachment-mark">
          <Icon name={message.type === "custom" ? "card" : message.type} size={24} />
        </span>
        <span>
          <b>{words.kinds[message.type]}</b>
          <small>{words.kindHint}</small>
        </span>
      </span>
    );
  }
  return (
    <span className="body" dir={direction(message.text)}>
      <Rich text={message.text} mentioned={mentioned} />
      <span className="meta-room" aria-hidden="true" />
    </span>
  );
}

/** As which names a text may speak to those whom it mentions; one's own are marked. */
function useMentioned({ mentions, mentionAll }: Message): ReadonlyMap<string, boolean> | undefined {
  const { me } = useChat();
  const members = useMembers();
  return useMemo(() => {
    if (!mentions?.length && !mentionAll) return undefined;
    const names = new Map<string, boolean>();
    for (const user of mentions ?? []) {
      names.set(user, user === me);
      const nickname = members.get(user)?.nickname;
      if (nickname) names.set(nickname, user === me);
    }
    if (mentionAll) for (const everybody of EVERYBODY) names.set(everybody, true);
    return names;
  }, [mentions, mentionAll, members, me]);
}

function Quote({ seq, message, timeline, onJump }: Props & { seq: number }) {
  const { words } = useSpeech();
  const elsewhere = useSignal(timeline.quotes).get(seq);
  const index = timeline.holds(seq);
  // It may be edited or recalled while the answer stays as it is.
  const { messages } = useSignal(timeline.view).segment;
  const quoted = index === undefined ? elsewhere : messages[index];
  useEffect(() => {
    if (index === undefined) void timeline.quote(seq);
  }, [index, seq, timeline]);
  const nameOf = useNames();
  const { me } = useChat();
  const hue = quoted && !quoted.own ? `hue-${hueOf(quoted.sender ?? message.user)}` : "hue-own";
  return (
    <button type="button" tabIndex={-1} className={`quote ${hue}`} disabled={elsewhere === null} onClick={() => onJump(seq)}>
      <b>
        <bdi>{quoted ? (quoted.own ? words.quoteYou : nameOf(quoted.sender ?? quoted.user)) : words.reply}</bdi>
      </b>
      <span dir="auto">{quoted ? preview(quoted, words, me, nameOf) : words.quoteGone}</span>
    </button>
  );
}

function Reactions({ message, fixed }: { message: Message; fixed: boolean }) {
  const chat = useChat();
  const { words } = useSpeech();
  const nameOf = useNames();
  return (
    <div className="reactions">
      {message.reactions.map(({ emoji, users, count }) => {
        const named = users.map((user) => (user === chat.me ? words.quoteYou : nameOf(user)));
        const names = (count > users.length ? [...named, words.others(count - users.length)] : named).join(", ");
        return (
          <button
            key={emoji}
            type="button"
            className="reaction"
            aria-pressed={users.includes(chat.me)}
            aria-label={words.reactedBy(names, emoji)}
            title={names}
            disabled={fixed}
            onClick={() => chat.react(message, emoji)}
          >
            <span className="emoji">{emoji}</span>
            {count > 1 && <span>{count}</span>}
          </button>
        );
      })}
    </div>
  );
}

function Failed({ message }: { message: Message }) {
  const chat = useChat();
  const { words } = useSpeech();
  const ofGroup = isGroup(message.user);
  const problems: Record<string, string> = ofGroup ? { ...words.problems, ...words.groupProblems } : words.problems;
  const why = message.refusal && problems[message.refusal.code];
  return (
    <div className="failed-line" role="alert">
      <span>
        {words.failed}
        {why && ` · ${why}`}
      </span>
      <button type="button" className="text-button" onClick={() => void chat.resend(message)}>
        {words.retry}
      </button>
      <button type="button" className="text-button quiet" onClick={() => void chat.discard(message)}>
        {words.discard}
      </button>
    </div>
  );
}

/** Right click, the menu key and a long press mean the same. Links and selected words keep the browser's own menu. */
function usePress(message: Message, onMenu: (at: MenuAt) => void) {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const stop = () => clearTimeout(timer.current);
  useEffect(() => stop, []);
  const at = (x: number, y: number) => onMenu({ message, anchor: { getBoundingClientRect: () => new DOMRect(x, y, 0, 0) } });
  return {
    onContextMenu: (event: MouseEvent) => {
      if ((event.target as HTMLElement).closest("a") || !getSelection()?.isCollapsed) return;
      event.preventDefault();
      stop();
      at(event.clientX, event.clientY);
    },
    onPointerDown: (event: PointerEvent) => {
      if (event.pointerType !== "touch") return;
      const { clientX, clientY } = event;
      timer.current = setTimeout(() => at(clientX, clientY), LONG_PRESS_MS);
    },
    onPointerUp: stop,
    onPointerCancel: stop,
    onPointerLeave: stop,
  };
}

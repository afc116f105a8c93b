/** What stands around the messages of a group: what is pinned, and why one cannot write. */
import type { Group } from "@hongyan/sdk";
import { useEffect, useState } from "react";
import { preview } from "../model/preview.js";
import type { Timeline } from "../model/timeline.js";
import { useSpeech } from "../words/speech.js";
import { Icon } from "./icons.js";
import { useNames } from "./names.js";
import { useChat, useSignal } from "./watch.js";

/** A timer cannot wait longer; it is then set anew. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Why this person may not write now: until when, or because all are muted. */
export type Mute = { until: number } | "all" | undefined;

export function useMute(group: Group | undefined): Mute {
  const [, again] = useState(0);
  const until = group?.mutedUntilMs ?? 0;
  const left = until - Date.now();
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => again((count) => count + 1), Math.min(left, TIMER_MS_MAX));
    return () => clearTimeout(timer);
  }, [left > 0, until]);
  if (left > 0) return { until };
  return group?.mutedAll && group.role === "member" ? "all" : undefined;
}

export function GroupNote({ group, mute }: { group: Group; mute: Mute }) {
  const { words, clock } = useSpeech();
  const why = group.dissolved ? words.dissolvedNote : group.left ? words.leftNote : typeof mute === "object" ? words.mutedNote(clock.full(mute.until)) : words.mutedAllNote;
  return (
    <div className="composer blocked" role="status">
      <Icon name={group.left || group.dissolved ? "exit" : "mute"} size={20} />
      <p>{why}</p>
    </div>
  );
}

/** What was pinned last; a click goes there. */
export function PinnedBar({ group, timeline }: { group: Group; timeline: Timeline }) {
  const seq = group.pinned.at(-1);
  return seq === undefined ? null : <Pinned key={seq} seq={seq} timeline={timeline} className="pinned-bar" />;
}

export function Pinned({ seq, timeline, className, onGo }: { seq: number; timeline: Timeline; className: string; onGo?: () => void }) {
  const { words } = useSpeech();
  const { me } = useChat();
  const nameOf = useNames();
  const elsewhere = useSignal(timeline.quotes).get(seq);
  const { segment } = useSignal(timeline.view);
  const index = timeline.holds(seq);
  const message = index === undefined ? elsewhere : segment.messages[index];
  useEffect(() => {
    if (index === undefined) void timeline.quote(seq);
  }, [index, seq, timeline]);
  const go = () => {
    onGo?.();
    void timeline.jump(seq);
  };
  return (
    <button type="button" className={className} disabled={message === null} onClick={go}>
      <Icon name="pin" size={18} />
      <span className="pinned-text">
        <b>{message ? <bdi>{nameOf(message.sender ?? "")}</bdi> : words.pinnedMessage}</b>
        <span dir="auto">{message ? preview(message, words, me, nameOf) : words.quoteGone}</span>
      </span>
    </button>
  );
}

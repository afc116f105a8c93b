/**
 * The messages of a conversation, of which only those near the window exist in the page. It keeps the reader's place when
 * older messages come in above and when rows change their height, tells the timeline what is needed and what was seen.
 */
import type { Message } from "@hongyan/sdk";
import { useVirtualizer, type VirtualItem, type Virtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { guessHeight } from "../model/height.js";
import { idOf, titleOf } from "../model/names.js";
import { preview } from "../model/preview.js";
import { place } from "../model/runs.js";
import { hasOlder } from "../model/segment.js";
import { sendState } from "../model/ticks.js";
import type { Timeline, View } from "../model/timeline.js";
import { useSpeech } from "../words/speech.js";
import type { MenuAt } from "./anchor.js";
import { Icon } from "./icons.js";
import { Layer, MessageMenu } from "./layer.js";
import { EventRow, MessageRow } from "./message-row.js";
import { useNames } from "./names.js";
import { Empty, Spinner } from "./parts.js";
import { useChat, useSignal } from "./watch.js";

/** Rows drawn beyond the window on each side. */
const OVERSCAN_ROWS = 8;
/** Rows before an end of the segment at which the next page is asked for. */
const AHEAD_ROWS = 20;
/** So close to the end counts as being there. */
const END_PX = 80;
const FLASH_MS = 1_800;

interface Props {
  timeline: Timeline;
  onReply: (message: Message) => void;
  onEdit: (message: Message) => void;
}

export function MessageList(props: Props) {
  const { timeline } = props;
  const { words } = useSpeech();
  const chat = useChat();
  const view = useSignal(timeline.view);
  if (view.phase === "loading") return <Skeletons />;
  if (view.phase === "failed") {
    return (
      <div className="messages">
        <Empty title={words.historyFailed}>
          <button type="button" className="button" onClick={() => void timeline.open()}>
            {words.tryAgain}
          </button>
        </Empty>
      </div>
    );
  }
  if (view.segment.messages.length === 0) {
    return (
      <div className="messages">
        <div className="hello">
          <span aria-hidden="true">👋</span>
          <p>{words.noMessages}</p>
          <p>{words.noMessagesHint(titleOf(chat.conversation(timeline.id) ?? timeline, words))}</p>
        </div>
      </div>
    );
  }
  return <Rows key={view.generation} view={view} {...props} />;
}

function Rows({ view, timeline, onReply, onEdit }: Props & { view: View }) {
  const chat = useChat();
  const { words } = useSpeech();
  const conversation = useSignal(chat.conversations).find((known) => idOf(known) === timeline.id);
  const scroller = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(view.start.at === "end");
  const [flash, setFlash] = useState(view.start.at === "seq" && view.start.mark ? view.start.seq : undefined);
  const [menu, setMenu] = useState<MenuAt>();
  const width = useRef(700);
  const held = useRef<List>(undefined);
  const closeMenu = useCallback(() => setMenu(undefined), []);
  const { messages, atHead } = view.segment;

  const getItemKey = useCallback((index: number) => keyAt(timeline, messages, index), [timeline, messages]);
  useLatestOffset(held, scroller, messages);
  const virtualizer = useVirtualizer<HTMLDivElement, HTMLDivElement>({
    count: messages.length,
    getScrollElement: () => scroller.current,
    // The virtualizer knows the width; asking the element would lay the page out for every row.
    estimateSize: (index) => guessHeight(messages[index], width.current),
    getItemKey,
    overscan: OVERSCAN_ROWS,
    anchorTo: "end",
    followOnAppend: atHead,
    scrollEndThreshold: END_PX,
    scrollPaddingStart: 56,
    paddingStart: 12,
    paddingEnd: 10,
  });
  held.current = virtualizer;
  width.current = virtualizer.scrollRect?.width ?? width.current;
  virtualizer.shouldAdjustScrollPositionOnItemSizeChange = keepsPlace;
  const items = virtualizer.getVirtualItems();

  useLayoutEffect(() => {
    const { start } = view;
    const index = start.at === "seq" ? timeline.holds(start.seq) : undefined;
    if (start.at === "seq" && index !== undefined) virtualizer.scrollToIndex(index, { align: start.mark ? "center" : "start" });
    else virtualizer.scrollToEnd();
    // Once for a fresh list: the key of this component rises with every other stretch.
  }, []);

  useEffect(() => {
    if (flash === undefined) return;
    const timer = setTimeout(() => setFlash(undefined), FLASH_MS);
    return () => clearTimeout(timer);
  }, [flash]);

  useStickToEnd(virtualizer, scroller, view.start.at === "end", atHead);

  const look = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    const isAtEnd = virtualizer.isAtEnd(END_PX);
    setAtEnd(isAtEnd);
    timeline.reads(isAtEnd);
    // Only now, in a frame of its own: while a list is being put together its rows are not where they will be.
    const range = virtualizer.getVirtualItems();
    if ((range[0]?.index ?? 0) < AHEAD_ROWS) void timeline.older();
    if ((range.at(-1)?.index ?? 0) > virtualizer.options.count - AHEAD_ROWS) void timeline.newer();
    if (!chat.watched) return;
    const seq = lastSeen(virtualizer, element, timeline.view.get().segment.messages);
    if (seq !== undefined) timeline.seen(seq);
  }, [chat, timeline, virtualizer]);

  useWatching(scroller, look, [messages, conversation?.unread]);

  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  // An own message is always worth going to, wherever one was reading.
  const newest = messages.at(-1);
  const written = newest?.own === true ? newest.local : undefined;
  const before = useRef(written);
  useLayoutEffect(() => {
    if (written !== undefined && written !== before.current) virtualizer.scrollToEnd();
    before.current = written;
  }, [written, virtualizer]);

  const jump = useCallback(
    (seq: number) => {
      const index = timeline.holds(seq);
      if (index === undefined) return void timeline.jump(seq);
      virtualizer.scrollToIndex(index, { align: "center", behavior: calmMotion() ? "auto" : "smooth" });
      setFlash(seq);
    },
    [timeline, virtualizer],
  );

  const toLatest = () => {
    if (!atHead) void timeline.latest();
    else virtualizer.scrollToEnd({ behavior: calmMotion() || messages.length - last > 60 ? "auto" : "smooth" });
  };

  const unread = conversation?.unread ?? 0;
  return (
    <div className="messages">
      <div
        className="messages-scroller"
        ref={scroller}
        role="log"
        aria-live="off"
        aria-label={words.messages(titleOf(conversation ?? timeline, words))}
        tabIndex={0}
        onKeyDown={(event) => moveFocus(event, virtualizer, messages, setMenu)}
      >
        <div role="list" className="messages-rows" style={{ height: virtualizer.getTotalSize() }}>
          {view.loadingOlder && first < 3 && (
            <div className="messages-older">
              <Spinner />
            </div>
          )}
          {items.map((item) => {
            const message = messages[item.index];
            if (!message) return null;
            const { day, first: begins, last: ends } = place(messages, item.index, view.newFrom);
            return (
              <div
                key={item.key}
                ref={virtualizer.measureElement}
                data-index={item.index}
                role="listitem"
                className="messages-row"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                {item.index === 0 && !hasOlder(view.segment) && <p className="messages-beginning">{words.beginning}</p>}
                {day && <Day time={message.time} />}
                {message.seq !== undefined && message.seq === view.newFrom && <p className="messages-new">{words.newMessages}</p>}
                {message.event ? (
                  <EventRow message={message} />
                ) : (
                  <MessageRow
                    message={message}
                    timeline={timeline}
                    begins={begins}
                    ends={ends}
                    state={sendState(message, conversation)}
                    flash={message.seq !== undefined && message.seq === flash}
                    onJump={jump}
                    onReply={onReply}
                    onMenu={setMenu}
                  />
                )}
              </div>
            );
          })}
        </div>
      </div>
      <FloatingDay message={messages[firstShown(virtualizer)]} moving={virtualizer.isScrolling && !atEnd} />
      <button type="button" className={`to-latest ${atEnd && atHead ? "" : "shown"}`} aria-label={words.toLatest} title={words.toLatest} onClick={toLatest} tabIndex={atEnd && atHead ? -1 : 0}>
        <Icon name="down" />
        {unread > 0 && <span className="badge">{unread > 999 ? "999+" : unread}</span>}
      </button>
      <Heard />
      <Layer open={menu !== undefined}>
        <MessageMenu at={menu} readOnly={timeline.readOnly} group={conversation?.group} onClose={closeMenu} onReply={onReply} onEdit={onEdit} />
      </Layer>
    </div>
  );
}

const keyAt = (timeline: Timeline, messages: readonly Message[], index: number): number => {
  const message = messages[index];
  return message ? timeline.key(message) : 0;
};

const calmMotion = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Calls `look` whenever what is seen may have changed: after scrolling, drawing, or coming back to the window. */
function useWatching(scroller: RefObject<HTMLDivElement | null>, look: () => void, after: unknown[]): void {
  useEffect(() => {
    const element = scroller.current;
    let frame = 0;
    const soon = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(look);
    };
    element?.addEventListener("scroll", soon, { passive: true });
    addEventListener("focus", soon);
    document.addEventListener("visibilitychange", soon);
    return () => {
      cancelAnimationFrame(frame);
      element?.removeEventListener("scroll", soon);
      removeEventListener("focus", soon);
      document.removeEventListener("visibilitychange", soon);
    };
  }, [look, scroller]);
  useEffect(() => {
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(look);
    });
    return () => cancelAnimationFrame(frame);
  }, [look, ...after]);
}

type List = Virtualizer<HTMLDivElement, HTMLDivElement>;

/**
 * Whether the list moves with a row that has another height than before. A row above the window must not push what is
 * read; a row that comes in from above and was only guessed may move what is above it, never what one looks at.
 */
function keepsPlace(item: VirtualItem, _delta: number, list: List): boolean {
  const top = list.scrollOffset ?? 0;
  if (list.itemSizeCache.has(item.key)) return item.end <= top;
  const height = list.scrollDirection === "backward" ? (list.scrollRect?.height ?? 0) : 0;
  return item.start < top + height / 2;
}

/**
 * Other messages move what stands in the window, by what the list believes to be the place of the window. The browser
 * may have scrolled on since it last told; without asking, that much of somebody's scrolling would be undone.
 */
function useLatestOffset(held: RefObject<List | undefined>, scroller: RefObject<HTMLElement | null>, messages: readonly Message[]): void {
  const before = useRef(messages);
  if (before.current !== messages && held.current && scroller.current) held.current.scrollOffset = scroller.current.scrollTop;
  before.current = messages;
}

/**
 * Who reads the end goes on reading it: when rows turn out taller than guessed, when the composer grows and takes room,
 * when a phone's keyboard opens. Only scrolling away lets go. The end of what is in memory is not the end of the
 * conversation: who sticks to that would be taken through all of it.
 */
function useStickToEnd(virtualizer: List, scroller: RefObject<HTMLElement | null>, begins: boolean, atHead: boolean): void {
  const stuck = useRef(begins);
  const total = virtualizer.getTotalSize();
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const onScroll = () => {
      stuck.current = element.scrollHeight - element.scrollTop - element.clientHeight <= END_PX;
    };
    const observer = new ResizeObserver(() => stuck.current && virtualizer.scrollToEnd());
    element.addEventListener("scroll", onScroll, { passive: true });
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      observer.disconnect();
    };
  }, [virtualizer, scroller]);
  useLayoutEffect(() => {
    if (stuck.current && atHead) virtualizer.scrollToEnd();
  }, [total, virtualizer, atHead]);
}

/** The last message that is in the window, at least with its upper half or a line. */
function lastSeen(virtualizer: List, element: HTMLElement, messages: readonly Message[]): number | undefined {
  const bottom = element.scrollTop + element.clientHeight;
  let seen: number | undefined;
  for (const item of virtualizer.getVirtualItems()) {
    if (item.start + Math.min(item.size / 2, 60) > bottom) break;
    seen = messages[item.index]?.seq ?? seen;
  }
  return seen;
}

function firstShown(virtualizer: List): number {
  const top = virtualizer.scrollOffset ?? 0;
  return virtualizer.getVirtualItems().find((item) => item.end > top + 30)?.index ?? 0;
}

/** Arrow keys walk from message to message; Enter opens what can be done with one. */
function moveFocus(event: KeyboardEvent<HTMLDivElement>, virtualizer: List, messages: readonly Message[], onMenu: (at: MenuAt) => void): void {
  const target = event.target as HTMLElement;
  const row = target.closest<HTMLElement>("[data-index]");
  const bubble = target.matches("[data-bubble]") ? target : undefined;
  const at = row ? Number(row.dataset["index"]) : messages.length;
  if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    if (row && !bubble) return;
    const next = at + (event.key === "ArrowUp" ? -1 : 1);
    if (next < 0 || next >= messages.length) return;
    event.preventDefault();
    virtualizer.scrollToIndex(next, { align: "auto" });
    const list = virtualizer.scrollElement;
    requestAnimationFrame(() => list?.querySelector<HTMLElement>(`[data-index="${next}"] [data-bubble]`)?.focus());
  } else if (bubble && (event.key === "Enter" || event.key === "ContextMenu")) {
    const message = messages[at];
    if (!message || message.event) return;
    event.preventDefault();
    onMenu({ message, anchor: bubble });
  }
}

function Day({ time }: { time: number }) {
  const { clock } = useSpeech();
  return (
    <p className="messages-day">
      <span>{clock.day(time)}</span>
    </p>
  );
}

function FloatingDay({ message, moving }: { message: Message | undefined; moving: boolean }) {
  const { clock } = useSpeech();
  return (
    <div className={`messages-floating ${moving && message ? "shown" : ""}`} aria-hidden="true">
      <span>{message && clock.day(message.time)}</span>
    </div>
  );
}

/** Reads new messages to those who listen to the page. The list itself stays silent: scrolling adds rows, too. */
function Heard() {
  const { words } = useSpeech();
  const chat = useChat();
  const message = useSignal(chat.heard);
  const nameOf = useNames();
  return (
    <div className="unseen" aria-live="polite">
      {message && words.newFrom(nameOf(message.sender ?? message.user), preview(message, words, chat.me, nameOf))}
    </div>
  );
}

function Skeletons() {
  return (
    <div className="messages" aria-busy="true">
      <div className="messages-skeletons" aria-hidden="true">
        {[46, 62, 30, 54, 38, 66, 28].map((width, index) => (
          <i key={width} className={`skeleton bubble-shape ${index % 3 === 1 ? "own" : ""}`} style={{ width: `${width}%`, height: index % 4 === 0 ? 64 : 40 }} />
        ))}
      </div>
    </div>
  );
}

/** The list of conversations: filter, start a new one, move with the arrow keys. */
import type { Conversation } from "@hongyan/sdk";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";
import { idOf, isName, titleOf } from "../model/names.js";
import { allowNotifications, canNotify } from "../model/notices.js";
import { prefs } from "../model/prefs.js";
import { go, route } from "../model/route.js";
import type { Words } from "../words/en.js";
import { useSpeech } from "../words/speech.js";
import { ConversationRow, ROW_PX } from "./conversation-row.js";
import { Icon } from "./icons.js";
import { Layer, NewChat, NewGroup, SettingsMenu } from "./layer.js";
import { Avatar, Empty, IconButton } from "./parts.js";
import { useChat, useSignal } from "./watch.js";

const OVERSCAN_ROWS = 6;

export function Sidebar({ search }: { search: RefObject<HTMLInputElement | null> }) {
  const chat = useChat();
  const { words } = useSpeech();
  const conversations = useSignal(chat.conversations);
  const loaded = useSignal(chat.loaded);
  const open = useSignal(route);
  const [filter, setFilter] = useState("");
  const [asking, setAsking] = useState(false);
  const [gathering, setGathering] = useState(false);
  const [menuAt, setMenuAt] = useState<Element>();
  const list = useRef<HTMLDivElement>(null);

  const wanted = filter.trim();
  const shown = wanted ? matching(conversations, wanted, words) : conversations;
  const startable = isName(wanted) && wanted !== chat.me && !conversations.some((conversation) => idOf(conversation) === wanted);

  const choose = (id: string) => {
    go(id);
    setFilter("");
  };

  const onSearchKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.preventDefault();
      if (filter) setFilter("");
      else search.current?.blur();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      list.current?.querySelector<HTMLElement>("[data-row]")?.focus();
    } else if (event.key === "Enter" && wanted) {
      const first = shown[0];
      if (first !== undefined) choose(idOf(first));
      else if (startable) choose(wanted);
    }
  };

  return (
    <>
      <header className="sidebar-head">
        <button type="button" className="me" aria-label={words.settings} data-tip={words.settings} aria-haspopup="menu" aria-expanded={menuAt !== undefined} onClick={(event) => setMenuAt(event.currentTarget)}>
          <Avatar name={chat.me} size="small" />
        </button>
        <h1 className="sidebar-title">{words.name}</h1>
        <IconButton icon="people" label={words.newGroup} className="tip-end" onClick={() => setGathering(true)} />
        <IconButton icon="pen" label={words.newChat} className="tip-end" onClick={() => setAsking(true)} />
      </header>
      <div className="search" role="search">
        <Icon name="search" size={19} />
        <input
          ref={search}
          type="text"
          inputMode="search"
          value={filter}
          placeholder={words.search}
          aria-label={words.search}
          onChange={(event) => setFilter(event.target.value)}
          onKeyDown={onSearchKey}
          autoCapitalize="none"
          autoCorrect="off"
          spellCheck={false}
        />
        {filter && <IconButton icon="close" size={18} label={words.clearSearch} onClick={() => setFilter("")} />}
      </div>
      <AskNotifications />
      {!loaded && conversations.length === 0 ? (
        <Skeletons />
      ) : (
        <List key={wanted} list={list} conversations={shown} open={open} onChoose={choose}>
          {startable && (
            <button type="button" className="start-row" data-row="start" onClick={() => choose(wanted)}>
              <span className="start-mark">
                <Icon name="pen" size={20} />
              </span>
              <span className="start-text">{words.startWith(wanted)}</span>
            </button>
          )}
          {shown.length === 0 && !startable && <Empty title={wanted ? words.noMatch : words.noChats} text={wanted ? words.nameBad : words.noChatsHint} />}
          {conversations.length === 0 && !wanted && (
            <div className="empty-action">
              <button type="button" className="button" onClick={() => setAsking(true)}>
                {words.newChat}
              </button>
            </div>
          )}
        </List>
      )}
      <Layer open={asking}>
        <NewChat open={asking} onClose={() => setAsking(false)} onStart={choose} />
      </Layer>
      <Layer open={gathering}>
        <NewGroup open={gathering} onClose={() => setGathering(false)} />
      </Layer>
      <Layer open={menuAt !== undefined}>
        <SettingsMenu anchor={menuAt} onClose={() => setMenuAt(undefined)} />
      </Layer>
    </>
  );
}

interface ListProps {
  list: RefObject<HTMLDivElement | null>;
  conversations: readonly Conversation[];
  open: string | undefined;
  onChoose: (id: string) => void;
  children: React.ReactNode;
}

function List({ list, conversations, open, onChoose, children }: ListProps) {
  const { words } = useSpeech();
  const virtualizer = useVirtualizer({
    count: conversations.length,
    getScrollElement: () => list.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => (conversations[index] ? idOf(conversations[index]) : index),
    overscan: OVERSCAN_ROWS,
  });

  const onKey = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const at = Number((event.target as HTMLElement).closest<HTMLElement>("[data-row]")?.dataset["row"] ?? "-1");
    const next = event.key === "Home" ? 0 : event.key === "End" ? conversations.length - 1 : step === 0 ? -1 : at + step;
    if (next < 0 || next >= conversations.length) return;
    event.preventDefault();
    virtualizer.scrollToIndex(next);
    requestAnimationFrame(() => list.current?.querySelector<HTMLElement>(`[data-row="${next}"]`)?.focus());
  };

  return (
    <nav className="conversations" ref={list} aria-label={words.chats} onKeyDown={onKey}>
      <ul style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const conversation = conversations[item.index];
          return (
            conversation && (
              <li key={item.key} style={{ transform: `translateY(${item.start}px)` }} aria-setsize={conversations.length} aria-posinset={item.index + 1}>
                <ConversationRow conversation={conversation} index={item.index} open={idOf(conversation) === open} onChoose={onChoose} />
              </li>
            )
          );
        })}
      </ul>
      {children}
    </nav>
  );
}

/** Names that begin with the words first, then those that contain them. */
function matching(conversations: readonly Conversation[], wanted: string, words: Words): Conversation[] {
  const low = wanted.toLowerCase();
  const rank = (conversation: Conversation) => {
    const name = titleOf(conversation, words).toLowerCase();
    return name.startsWith(low) ? 0 : name.split(/[._\-@ ]/).some((part) => part.startsWith(low)) ? 1 : name.includes(low) ? 2 : 3;
  };
  return conversations.filter((conversation) => rank(conversation) < 3).sort((a, b) => rank(a) - rank(b) || b.activity - a.activity);
}

/** Offers notifications once; the browser is asked only if somebody says yes. */
function AskNotifications() {
  const { words } = useSpeech();
  const chat = useChat();
  const { notifications } = useSignal(prefs);
  const [asked, setAsked] = useState(() => localStorage.getItem("hongyan.asked") !== null);
  const done = () => {
    localStorage.setItem("hongyan.asked", "1");
    setAsked(true);
  };
  const [settled, setSettled] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(true), 4_000);
    return () => clearTimeout(timer);
  }, []);
  if (!settled || asked || notifications || !canNotify() || Notification.permission !== "default") return null;
  return (
    <div className="ask">
      <Icon name="bell" size={20} />
      <p>{words.askNotifications}</p>
      <button
        type="button"
        className="text-button"
        onClick={() => {
          done();
          void allowNotifications(true).then((granted) => granted || chat.say("denied"));
        }}
      >
        {words.allow}
      </button>
      <IconButton icon="close" size={18} label={words.notNow} onClick={done} />
    </div>
  );
}

function Skeletons() {
  return (
    <div className="conversations skeletons" aria-hidden="true">
      {Array.from({ length: 9 }, (_, index) => (
        <div key={index} className="skeleton-row">
          <i className="skeleton round" />
          <span>
            <i className={`skeleton line w${index % 3}`} />
            <i className={`skeleton line thin w${(index + 1) % 3}`} />
          </span>
        </div>
      ))}
    </div>
  );
}

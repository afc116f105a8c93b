/** Common emoji to choose from, with a search in both languages and the ones used last. */
import { type KeyboardEvent, useRef, useState } from "react";
import { useSpeech } from "../words/speech.js";
import { EMOJI } from "./emoji-data.js";

const KEY = "hongyan.emoji";
const RECENT_MAX = 16;
const COLUMNS = 8;

export function EmojiGrid({ onPick }: { onPick: (emoji: string) => void }) {
  const { words, language } = useSpeech();
  const [search, setSearch] = useState("");
  const [recent] = useState(readRecent);
  const grid = useRef<HTMLDivElement>(null);
  const wanted = search.trim().toLowerCase();
  const found = wanted ? [{ name: "", emoji: EMOJI.flatMap((group) => group.emoji).filter(({ names }) => names.includes(wanted)) }] : undefined;
  const groups = found ?? [
    ...(recent.length ? [{ name: language === "zh" ? "最近使用" : "Recent", emoji: recent.map((sign) => ({ sign, names: sign })) }] : []),
    ...EMOJI.map((group) => ({ name: language === "zh" ? group.zh : group.en, emoji: group.emoji })),
  ];

  const pick = (sign: string) => {
    writeRecent([sign, ...recent.filter((other) => other !== sign)].slice(0, RECENT_MAX));
    onPick(sign);
  };

  const onKey = (event: KeyboardEvent) => {
    const cells = [...(grid.current?.querySelectorAll<HTMLElement>("button") ?? [])];
    const at = cells.indexOf(event.target as HTMLElement);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
    if (step === undefined || (at < 0 && event.key !== "ArrowDown")) return;
    event.preventDefault();
    const next = at < 0 ? 0 : at + step;
    if (next < 0) grid.current?.parentElement?.querySelector("input")?.focus();
    else cells[Math.min(next, cells.length - 1)]?.focus();
  };

  return (
    <div className="emoji-box" onKeyDown={onKey}>
      <input
        type="text"
        value={search}
        placeholder={words.searchEmoji}
        aria-label={words.searchEmoji}
        onChange={(event) => setSearch(event.target.value)}
        onKeyDown={(event) => {
          const first = groups[0]?.emoji[0];
          if (event.key === "Enter" && wanted && first) pick(first.sign);
        }}
        autoFocus={!matchMedia("(pointer: coarse)").matches}
      />
      <div className="emoji-groups" ref={grid}>
        {groups.map(({ name, emoji }) => (
          <section key={name} aria-label={name || words.emoji}>
            {name && <h3>{name}</h3>}
            <div className="emoji-cells">
              {emoji.map(({ sign, names }) => (
                <button key={sign} type="button" className="emoji" aria-label={`${sign} ${names.split(" ")[0] ?? ""}`} onClick={() => pick(sign)}>
                  {sign}
                </button>
              ))}
            </div>
          </section>
        ))}
        {found?.[0]?.emoji.length === 0 && <p className="emoji-none">{words.noEmoji}</p>}
      </div>
    </div>
  );
}

function readRecent(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(stored) ? stored.filter((sign) => typeof sign === "string").slice(0, RECENT_MAX) : [];
  } catch {
    return [];
  }
}

function writeRecent(recent: string[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(recent));
  } catch {
    // Without storage there are no recent ones next time.
  }
}

/** A field for names of several people: each becomes a piece that can be taken out again. */
import { type KeyboardEvent, useId, useState } from "react";
import { isGroup, isName, isVisitor } from "../model/names.js";
import { Icon } from "../views/icons.js";
import { useChat, useSignal } from "../views/watch.js";
import { useSpeech } from "../words/speech.js";

/** PROTOCOL.md §21. */
const PEOPLE_MAX = 100;

interface Props {
  people: readonly string[];
  onChange: (people: readonly string[]) => void;
  label: string;
  /** Who need not be offered. */
  without?: (user: string) => boolean;
}

export function PeopleField({ people, onChange, label, without = () => false }: Props) {
  const chat = useChat();
  const { words } = useSpeech();
  const conversations = useSignal(chat.conversations);
  const [typed, setTyped] = useState("");
  const [wrong, setWrong] = useState(false);
  const id = useId();
  const known = conversations.map(({ user }) => user).filter((user) => !isGroup(user) && !isVisitor(user) && !people.includes(user) && !without(user));

  const take = (text: string) => {
    const names = text.split(/[\s,;，；、]+/).filter(Boolean);
    const bad = names.filter((name) => !isName(name) || isVisitor(name));
    onChange([...new Set([...people, ...names.filter((name) => !bad.includes(name) && name !== chat.me)])].slice(0, PEOPLE_MAX));
    setTyped(bad.join(" "));
    setWrong(bad.length > 0);
  };

  const onKey = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && typed.trim()) {
      event.preventDefault();
      take(typed);
    } else if (event.key === "Backspace" && typed === "") onChange(people.slice(0, -1));
  };

  return (
    <div className="field people-field">
      <label htmlFor={id}>{label}</label>
      <div className="people-box">
        {people.map((user) => (
          <button key={user} type="button" className="person-piece" aria-label={words.removeName(user)} onClick={() => onChange(people.filter((other) => other !== user))}>
            <bdi>{user}</bdi>
            <Icon name="close" size={14} />
          </button>
        ))}
        <input
          id={id}
          value={typed}
          list={`${id}-known`}
          aria-describedby={`${id}-hint`}
          aria-invalid={wrong}
          onChange={({ target }) => {
            setWrong(false);
            // A separator ends a name, and so does a choice from the list.
            if (/[\s,;，；、]$/.test(target.value) || known.includes(target.value)) take(target.value);
            else setTyped(target.value);
          }}
          onKeyDown={onKey}
          onBlur={() => typed.trim() && take(typed)}
          autoCapitalize="none"
          autoCorrect="off"
          autoComplete="off"
          spellCheck={false}
        />
        <datalist id={`${id}-known`}>
          {known.map((user) => (
            <option key={user} value={user} />
          ))}
        </datalist>
      </div>
      <small id={`${id}-hint`} role={wrong ? "alert" : undefined} className={wrong ? "wrong" : undefined}>
        {wrong ? words.nameBad : words.peopleHint}
      </small>
    </div>
  );
}

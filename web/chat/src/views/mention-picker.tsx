/** The list above the composer while somebody writes a name behind `@`; the field keeps the focus. */
import type { Group } from "@hongyan/sdk";
import type { Member } from "@hongyan/sdk/groups";
import { type KeyboardEvent, useEffect, useMemo, useState } from "react";
import { beginning, candidates, shownName } from "../model/mentions.js";
import { useSpeech } from "../words/speech.js";
import { Icon } from "./icons.js";
import { useMembers } from "./names.js";
import { Avatar } from "./parts.js";
import { useChat } from "./watch.js";

/** Of the list, for the field that names what is chosen in it. */
export const LIST_ID = "mentions";
export const optionId = (index: number): string => `mention-${index}`;

/** A member, or everybody. */
type Choice = Member | "everybody";

export interface Picking {
  choices: readonly Choice[];
  chosen: number;
  /** Where the `@` stands. */
  at: number;
  nameOf: (choice: Choice) => string;
  choose: (index: number) => void;
  /** Takes the keys that belong to the list; true if it was one of them. */
  onKey: (event: KeyboardEvent) => boolean;
  pick: (choice: Choice) => void;
}

/** Nothing unless a name is being written in a group. */
export function usePicking(group: Group | undefined, text: string, caret: number, onPick: (at: number, name: string) => void): Picking | undefined {
  const { words } = useSpeech();
  const { me } = useChat();
  const members = useMembers();
  const [chosen, choose] = useState(0);
  const [closedAt, setClosedAt] = useState<number>();
  const writing = group && beginning(text, caret);
  const at = writing?.at;
  const typed = writing?.typed;
  const all = group !== undefined && group.role !== "member" && typed !== undefined && words.everybody.startsWith(typed.toLowerCase());
  const choices = useMemo((): Choice[] => (typed === undefined ? [] : [...(all ? (["everybody"] as const) : []), ...candidates(members.values(), typed, me)]), [all, members, typed, me]);
  useEffect(() => choose(0), [at, typed]);
  useEffect(() => {
    if (at === undefined) setClosedAt(undefined);
  }, [at]);
  if (at === undefined || at === closedAt || choices.length === 0) return undefined;

  const nameOf = (choice: Choice) => (choice === "everybody" ? words.everybody : shownName(choice));
  const pick = (choice: Choice) => onPick(at, nameOf(choice));
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const choice = choices[chosen];
    if (step !== 0) choose((chosen + step + choices.length) % choices.length);
    else if ((event.key === "Enter" || event.key === "Tab") && choice) pick(choice);
    else if (event.key === "Escape") setClosedAt(at);
    else return false;
    event.preventDefault();
    return true;
  };
  return { choices, chosen: Math.min(chosen, choices.length - 1), at, nameOf, choose, onKey, pick };
}

export function MentionPicker({ picking }: { picking: Picking }) {
  const { words } = useSpeech();
  const { choices, chosen, nameOf, choose, pick } = picking;
  return (
    <div id={LIST_ID} className="mentions" role="listbox" aria-label={words.mentionSomebody}>
      {choices.map((choice, index) => (
        <div
          key={choice === "everybody" ? "" : choice.user}
          id={optionId(index)}
          role="option"
          aria-selected={index === chosen}
          className="mentions-option"
          // A press must not take the focus from the field.
          onPointerDown={(event) => event.preventDefault()}
          onPointerMove={() => choose(index)}
          onClick={() => pick(choice)}
        >
          {choice === "everybody" ? (
            <span className="avatar tiny hue-own" aria-hidden="true">
              <Icon name="people" size={18} />
            </span>
          ) : (
            <Avatar name={choice.user} title={nameOf(choice)} size="tiny" />
          )}
          <bdi>{nameOf(choice)}</bdi>
          <small>{choice === "everybody" ? words.everybodyHint : choice.nickname ? choice.user : ""}</small>
        </div>
      ))}
    </div>
  );
}

/** How people are called in the open conversation: in a group by the nickname that they have there. */
import { shownName } from "../model/mentions.js";
import type { People } from "../model/people.js";
import { called } from "../model/names.js";
import { Signal } from "../model/signal.js";
import { useSpeech } from "../words/speech.js";
import { useChat, useSignal } from "./watch.js";

const NOBODY: People["members"] = new Signal(new Map());

export function useMembers(): ReturnType<People["members"]["get"]> {
  const people = useSignal(useChat().people);
  return useSignal(people?.members ?? NOBODY);
}

export function useNames(): (user: string) => string {
  const { words } = useSpeech();
  const members = useMembers();
  return (user) => {
    const member = members.get(user);
    return member ? shownName(member) : called(user, words);
  };
}

/** Which language the interface speaks, and its clock, for every view below. */
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";
import { type Prefs, prefs } from "../model/prefs.js";
import { Clock } from "../model/time.js";
import { useSignal } from "../views/watch.js";
import { en, type Words } from "./en.js";
import { zh } from "./zh.js";

export interface Speech {
  words: Words;
  clock: Clock;
  language: "en" | "zh";
}

export function languageOf(chosen: Prefs["language"], browser: readonly string[] = navigator.languages): "en" | "zh" {
  if (chosen !== "system") return chosen;
  const known = browser.find((tag) => /^(en|zh)\b/i.test(tag));
  return known && /^zh/i.test(known) ? "zh" : "en";
}

/** What everybody in a group is called in a text, whatever language its writer speaks. */
export const EVERYBODY: readonly string[] = [en.everybody, zh.everybody];

export const wordsOf = (language: "en" | "zh"): Words => (language === "zh" ? zh : en);

const Context = createContext<Speech>({ words: en, clock: new Clock("en"), language: "en" });

export function Speaking({ children }: { children: ReactNode }) {
  const language = languageOf(useSignal(prefs).language);
  const speech = useMemo(() => ({ words: wordsOf(language), clock: new Clock(clockTag(language)), language }), [language]);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }, [language]);
  return <Context value={speech}>{children}</Context>;
}

/** The browser's own variant of the language: British dates for the British. */
const clockTag = (language: string): string => navigator.languages.find((tag) => tag.startsWith(language)) ?? language;

export const useSpeech = (): Speech => useContext(Context);

export function problem(code: string, words: Words, ofGroup = false): string {
  const problems: Record<string, string> = ofGroup ? { ...words.problems, ...words.groupProblems } : words.problems;
  return problems[code] ?? words.problems.other;
}

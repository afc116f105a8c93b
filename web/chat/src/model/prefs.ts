/** What this browser remembers of a person's taste, whoever is signed in. Not synchronised, and never a secret. */
import { Signal } from "./signal.js";

export interface Prefs {
  theme: "system" | "light" | "dark";
  language: "system" | "en" | "zh";
  notifications: boolean;
  sound: boolean;
}

const KEY = "hongyan.prefs";
const DEFAULTS: Prefs = { theme: "system", language: "system", notifications: false, sound: true };

function read(): Prefs {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { ...DEFAULTS, ...(stored as Partial<Prefs>) };
  } catch {
    return DEFAULTS;
  }
}

export const prefs = new Signal<Prefs>(read());

export function setPref<K extends keyof Prefs>(key: K, value: Prefs[K]): void {
  prefs.update((known) => ({ ...known, [key]: value }));
  try {
    localStorage.setItem(KEY, JSON.stringify(prefs.get()));
  } catch {
    // Storage is full or forbidden: the choice holds until the tab is closed.
  }
}

/** Keeps the page's colours as chosen, also while the system changes its own. */
export function followTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const { theme } = prefs.get();
    document.documentElement.dataset["theme"] = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
  };
  apply();
  prefs.subscribe(apply);
  dark.addEventListener("change", apply);
  addEventListener("storage", (event) => {
    if (event.key === KEY) prefs.set(read());
  });
}

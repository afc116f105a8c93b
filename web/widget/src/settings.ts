/** What a site says in the attributes of its script element. Whatever is missing has a default; a merchant it must name. */
import { type Language, languageOf, WORDS } from "./words";

export interface Settings {
  /** Where the script came from. */
  server: string;
  app: string;
  /** The account that visitors talk with. */
  merchant: string;
  title: string;
  greeting: string;
  language: Language;
  theme: "light" | "dark" | "system";
  side: "left" | "right";
  /** `#rrggbb`. */
  color: string | undefined;
}

/** Longer words are not for a head and a first message. */
const CHARACTERS_MAX = 500;

export function settingsOf({ src, dataset }: Pick<HTMLScriptElement, "src" | "dataset">, page: string | undefined, browser: readonly string[]): Settings {
  const { merchant, app, title, greeting, theme, side, color, language, server } = dataset;
  if (!merchant) throw new Error("hongyan: the script needs data-merchant, the name of the account that visitors talk with");
  const spoken = languageOf(language, page, ...browser);
  return {
    server: new URL(server ?? src).origin,
    app: app || "default",
    merchant,
    title: (title || merchant).slice(0, CHARACTERS_MAX),
    greeting: (greeting ?? WORDS[spoken].greeting).slice(0, CHARACTERS_MAX),
    language: spoken,
    theme: theme === "light" || theme === "dark" ? theme : "system",
    side: side === "left" ? "left" : "right",
    color: /^#[0-9a-f]{6}$/i.test(color ?? "") ? color : undefined,
  };
}

/** Black or white, whatever can be read on this colour (WCAG 2, relative luminance). */
export function textOn(color: string): "#000000" | "#ffffff" {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 ? "#ffffff" : "#000000";
}

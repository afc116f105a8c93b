/** Times as people write them. Formatters are kept, because making one costs a millisecond. */

export class Clock {
  #time: Intl.DateTimeFormat;
  #weekday: Intl.DateTimeFormat;
  #day: Intl.DateTimeFormat;
  #date: Intl.DateTimeFormat;
  #short: Intl.DateTimeFormat;
  #shortYear: Intl.DateTimeFormat;
  #full: Intl.DateTimeFormat;
  #relative: Intl.RelativeTimeFormat;

  constructor(language: string) {
    const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language, options);
    this.#time = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    this.#weekday = format({ weekday: "short" });
    this.#day = format({ weekday: "long", month: "long", day: "numeric" });
    this.#date = format({ year: "numeric", month: "long", day: "numeric" });
    this.#short = format({ month: "short", day: "numeric" });
    this.#shortYear = format({ year: "2-digit", month: "numeric", day: "numeric" });
    this.#full = format({ dateStyle: "full", timeStyle: "short" });
    this.#relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  }

  /** 14:05. */
  time = (at: number): string => this.#time.format(at);
  full = (at: number): string => this.#full.format(at);

  /** For the list of conversations: as short as the distance allows. */
  brief(at: number, now = Date.now()): string {
    const days = daysBetween(at, now);
    if (days <= 0) return this.time(at);
    if (days === 1) return capital(this.#relative.format(-1, "day"));
    if (days < 7) return this.#weekday.format(at);
    return sameYear(at, now) ? this.#short.format(at) : this.#shortYear.format(at);
  }

  /** For the line between two days. */
  day(at: number, now = Date.now()): string {
    const days = daysBetween(at, now);
    if (days >= 0 && days <= 1) return capital(this.#relative.format(-days, "day"));
    return sameYear(at, now) ? this.#day.format(at) : this.#date.format(at);
  }
}

const midnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0);
const daysBetween = (at: number, now: number): number => Math.round((midnight(now) - midnight(at)) / 86_400_000);
const sameYear = (a: number, b: number): boolean => new Date(a).getFullYear() === new Date(b).getFullYear();
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

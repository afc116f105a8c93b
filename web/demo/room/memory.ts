/** What the page remembers: nothing, where a browser is told to keep nothing. */

type Where = "localStorage" | "sessionStorage";

export function recall(where: Where, key: string): string | null {
  try {
    return window[where].getItem(key);
  } catch {
    return null;
  }
}

export function remember(where: Where, key: string, value: string): void {
  try {
    window[where].setItem(key, value);
  } catch {
    // As if this were the first visit, next time.
  }
}

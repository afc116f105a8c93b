/** Where a visitor is and came from, as the merchant is told: without what stands behind `?` and `#`, which may be secret. */

/** As the server takes it; what a URL gives out is ASCII. */
const BYTES_MAX = 512;

export function placeOf(address: string): string {
  try {
    const { origin, pathname, protocol } = new URL(address);
    return /^https?:$/.test(protocol) ? (origin + pathname).slice(0, BYTES_MAX) : "";
  } catch {
    return "";
  }
}

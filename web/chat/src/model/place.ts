/** Pages that visitors are on, as short as a list or a head needs them. What a browser told is only ever shown as text. */

/** Where on the site: its path, without what every page of the site begins with. */
export function pathOf(page: string): string {
  try {
    return decodeURI(new URL(page).pathname);
  } catch {
    return page;
  }
}

/** The page without its scheme; of another site only the host. */
export function shortOf(page: string, hostOnly = false): string {
  try {
    const { host, pathname } = new URL(page);
    return hostOnly || pathname === "/" ? host : host + decodeURI(pathname);
  } catch {
    return page;
  }
}

/** Makes elements. Whatever comes from others goes in as text, never as markup. */

type Attributes = Record<string, string | boolean>;

export function element<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** A name's own colour, always the same. */
export function hueOf(name: string): number {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)!) % 360;
  return hash;
}

/** The first letter of a name, on the name's colour. */
export function face(name: string): HTMLElement {
  const made = element("span", { class: "face", "aria-hidden": "true" }, [...name][0]?.toUpperCase() ?? "?");
  made.style.setProperty("--hue", String(hueOf(name)));
  return made;
}

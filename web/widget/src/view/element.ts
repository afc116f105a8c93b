/** Makes elements. Texts become text nodes and nothing else, so that no word of anybody can be markup. */

const SVG = "http://www.w3.org/2000/svg";

type Attributes = Record<string, string | number | boolean | undefined>;

export function element<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  set(made, attributes);
  made.append(...children);
  return made;
}

export function set(target: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) target.removeAttribute(name);
    else target.setAttribute(name, value === true ? "" : String(value));
  }
}

/** A picture of lines; `label` if it says something that no word beside it says. */
export function icon(paths: string, size: number, label?: string): SVGSVGElement {
  const made = document.createElementNS(SVG, "svg");
  set(made, { viewBox: "0 0 24 24", width: size, height: size, class: "icon", ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }) });
  for (const d of paths.split("|")) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    made.append(path);
  }
  return made;
}

export const ICONS = {
  chat: "M12 3.500c-5 0-9 3.400-9 7.600 0 2.300 1.200 4.300 3.100 5.700L5.500 20.500l4-2.100c.8.200 1.600.3 2.500.3 5 0 9-3.400 9-7.600s-4-7.600-9-7.600Z|M7.600 11.600c1.500-1.500 3.200-1.500 4.400.8 1.200-2.300 2.900-2.300 4.400-.8",
  down: "M5 9l7 7 7-7",
  close: "M6 6l12 12M18 6 6 18",
  send: "M4.500 12 3 4.500 21 12 3 19.500 4.500 12ZM4.500 12H12",
  sending: "M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM12 8.500V12l2.500 1.500",
  sent: "M5.500 12.500 10 17 19 7.500",
  delivered: "M2 12.500 6.500 17 15.500 7.500M12.500 16.500l.5.5L22 7.500",
  read: "M2 12.500 6.500 17 15.500 7.500M12.500 16.500l.5.5L22 7.500",
  failed: "M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM12 8.500v4M12 15.500v.01",
} as const;

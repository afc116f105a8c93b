/** Where a layer opens: at an element, or at a place in the window. */
import type { Message } from "@hongyan/sdk";

export type Anchor = Element | { getBoundingClientRect: () => DOMRect };

export interface MenuAt {
  message: Message;
  anchor: Anchor;
  /** Only the emoji are wanted. */
  emoji?: boolean;
}

/** The way from the page to its layers (`src/layers`), which are another script: fetched once, whoever asks first. */
import { lazy, type ReactNode, Suspense, useEffect, useRef } from "react";

/** Between two attempts to fetch the script. */
const RETRY_MS = 2_000;

type Layers = typeof import("../layers/index.js");

let fetched: Promise<Layers> | undefined;

/** Never rejects: a menu that was asked for while the network was away opens when it is back. */
function layers(): Promise<Layers> {
  fetched ??= attempt();
  return fetched;
}

async function attempt(): Promise<Layers> {
  for (;;) {
    try {
      return await import("../layers/index.js");
    } catch {
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
}

export const EmojiPicker = lazy(async () => ({ default: (await layers()).EmojiPicker }));
export const MessageMenu = lazy(async () => ({ default: (await layers()).MessageMenu }));
export const GroupPanel = lazy(async () => ({ default: (await layers()).GroupPanel }));
export const JoinGroup = lazy(async () => ({ default: (await layers()).JoinGroup }));
export const NewGroup = lazy(async () => ({ default: (await layers()).NewGroup }));
export const NewChat = lazy(async () => ({ default: (await layers()).NewChat }));
export const PaneMenu = lazy(async () => ({ default: (await layers()).PaneMenu }));
export const SettingsMenu = lazy(async () => ({ default: (await layers()).SettingsMenu }));

/** Draws a layer from the first time it is open; afterwards it stays, so that it can fade out. */
export function Layer({ open, children }: { open: boolean; children: ReactNode }) {
  const opened = useRef(false);
  opened.current ||= open;
  return opened.current ? <Suspense fallback={null}>{children}</Suspense> : null;
}

/** Fetches the layers as soon as somebody moves or types: they will be there when the first is opened. */
export function useLayersSoon(): void {
  useEffect(() => {
    const fetch = () => void layers();
    const once = { once: true, passive: true };
    addEventListener("pointermove", fetch, once);
    addEventListener("pointerdown", fetch, once);
    addEventListener("keydown", fetch, once);
    return () => {
      removeEventListener("pointermove", fetch);
      removeEventListener("pointerdown", fetch);
      removeEventListener("keydown", fetch);
    };
  }, []);
}

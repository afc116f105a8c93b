/** The frame around the emoji, at whatever asked for it. */
import { Popover } from "@base-ui/react/popover";
import { EmojiGrid } from "./emoji-grid.js";
import type { Anchor } from "../views/anchor.js";
import { useSpeech } from "../words/speech.js";

interface Props {
  anchor: Anchor | undefined;
  onPick: (emoji: string) => void;
  onClose: () => void;
}

export function EmojiPicker({ anchor, onPick, onClose }: Props) {
  const { words } = useSpeech();
  return (
    <Popover.Root open={anchor !== undefined} onOpenChange={(open) => !open && onClose()}>
      <Popover.Portal>
        <Popover.Positioner className="layer" anchor={anchor} side="top" align="start" sideOffset={8}>
          <Popover.Popup className="emoji-popup" aria-label={words.emoji}>
            <EmojiGrid onPick={onPick} />
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

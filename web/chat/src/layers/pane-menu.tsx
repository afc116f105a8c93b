/** What can be done with a conversation as a whole. */
import { Menu } from "@base-ui/react/menu";
import { useState } from "react";
import { called } from "../model/names.js";
import { go } from "../model/route.js";
import { Icon } from "../views/icons.js";
import { useChat } from "../views/watch.js";
import { useSpeech } from "../words/speech.js";
import { Question } from "./question.js";

interface Props {
  user: string;
  blocked: boolean;
  anchor: Element | undefined;
  onClose: () => void;
}

export function PaneMenu({ user, blocked, anchor, onClose }: Props) {
  const chat = useChat();
  const { words } = useSpeech();
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Menu.Root open={anchor !== undefined} onOpenChange={(open) => !open && onClose()}>
        <Menu.Portal>
          <Menu.Positioner className="layer" anchor={anchor} align="end" sideOffset={6}>
            <Menu.Popup className="menu" aria-label={words.more}>
              <Menu.Item className={`menu-item ${blocked ? "" : "danger"}`} onClick={() => (blocked ? void chat.block(user, false) : setAsking(true))}>
                <Icon name="block" size={20} />
                {blocked ? words.unblock : words.block(called(user, words))}
              </Menu.Item>
              <Menu.Item className="menu-item" onClick={() => go(undefined)}>
                <Icon name="close" size={20} />
                {words.close}
                <kbd>Esc</kbd>
              </Menu.Item>
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      <Question open={asking} title={words.blockTitle(called(user, words))} text={words.blockText} action={words.blockShort} onAction={() => void chat.block(user, true)} onClose={() => setAsking(false)} />
    </>
  );
}

/** What can be done with a message: one menu for the whole list, wherever it was asked for. */
import { Menu } from "@base-ui/react/menu";
import type { Group, Message } from "@hongyan/sdk";
import { useEffect, useState } from "react";
import type { MenuAt } from "../views/anchor.js";
import { Icon } from "../views/icons.js";
import { useChat, useSignal } from "../views/watch.js";
import { useSpeech } from "../words/speech.js";
import { EmojiPicker } from "./emoji-picker.js";
import { Question } from "./question.js";
import { Readers } from "./readers.js";

const QUICK = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

interface Props {
  at: MenuAt | undefined;
  /** Nothing can be changed in this conversation. */
  readOnly: boolean;
  /** If this is one. */
  group: Group | undefined;
  onClose: () => void;
  onReply: (message: Message) => void;
  onEdit: (message: Message) => void;
}

export function MessageMenu({ at, readOnly, group, onClose, onReply, onEdit }: Props) {
  const chat = useChat();
  const { words } = useSpeech();
  const lateAfterMs = useSignal(chat.lateAfterMs);
  const [picking, setPicking] = useState<MenuAt>();
  const [asking, setAsking] = useState<{ what: "recall" | "remove"; message: Message }>();
  const [read, setRead] = useState<Message>();
  // What was shown last stays while the menu fades out.
  const [shown, setShown] = useState(at);
  useEffect(() => {
    if (at?.emoji) {
      setPicking(at);
      onClose();
    } else if (at) setShown(at);
  }, [at, onClose]);

  const message = shown?.message;
  const numbered = message?.seq !== undefined && !message.recalled && !readOnly;
  const fresh = message !== undefined && numbered && message.own && Date.now() - message.time < lateAfterMs;
  const leads = group !== undefined && group.role !== "member";
  const isPinned = message?.seq !== undefined && group?.pinned.includes(message.seq);
  // Whom an admin may not correct, the server says.
  const recallable = fresh || (numbered && leads);
  const pin = ({ seq = 0 }: Message) => group && void chat.act((groups, client) => groups.pin(client, group.group, seq, !isPinned));
  const copy = () => {
    if (message) void navigator.clipboard.writeText(message.text).then(() => chat.say("copied"), () => chat.say("other"));
  };

  return (
    <>
      <Menu.Root open={at !== undefined && !at.emoji} onOpenChange={(open) => !open && onClose()} modal={false}>
        <Menu.Portal>
          <Menu.Positioner className="layer" anchor={shown?.anchor} align="start" sideOffset={4}>
            <Menu.Popup className="menu message-menu" aria-label={words.messageActions}>
              {message && (
                <>
                  {numbered && (
                    <Menu.Group className="quick" aria-label={words.react}>
                      {QUICK.map((emoji) => (
                        <Menu.Item key={emoji} className="quick-item emoji" aria-label={emoji} onClick={() => chat.react(message, emoji)}>
                          {emoji}
                        </Menu.Item>
                      ))}
                      <Menu.Item className="quick-item more" aria-label={words.searchEmoji} onClick={() => setPicking(shown)}>
                        <Icon name="down" size={18} />
                      </Menu.Item>
                    </Menu.Group>
                  )}
                  {numbered && (
                    <Menu.Item className="menu-item" onClick={() => onReply(message)}>
                      <Icon name="reply" size={20} />
                      {words.reply}
                    </Menu.Item>
                  )}
                  {message.type === "text" && !message.recalled && (
                    <Menu.Item className="menu-item" onClick={copy}>
                      <Icon name="copy" size={20} />
                      {words.copy}
                    </Menu.Item>
                  )}
                  {fresh && message.type === "text" && (
                    <Menu.Item className="menu-item" onClick={() => onEdit(message)}>
                      <Icon name="pen" size={20} />
                      {words.edit}
                    </Menu.Item>
                  )}
                  {leads && numbered && (
                    <Menu.Item className="menu-item" onClick={() => pin(message)}>
                      <Icon name="pin" size={20} />
                      {isPinned ? words.unpin : words.pin}
                    </Menu.Item>
                  )}
                  {group && message.own && message.seq !== undefined && (
                    <Menu.Item className="menu-item" onClick={() => setRead(message)}>
                      <Icon name="eye" size={20} />
                      {words.readBy}
                    </Menu.Item>
                  )}
                  {message.seq === undefined && (
                    <Menu.Item className="menu-item" onClick={() => void chat.resend(message)}>
                      <Icon name="retry" size={20} />
                      {words.retry}
                    </Menu.Item>
                  )}
                  {!readOnly && <Menu.Separator className="menu-line" />}
                  {recallable && (
                    <Menu.Item className="menu-item danger" onClick={() => setAsking({ what: "recall", message })}>
                      <Icon name="undo" size={20} />
                      {message.own ? words.recall : words.recallOthers}
                    </Menu.Item>
                  )}
                  {message.seq === undefined ? (
                    <Menu.Item className="menu-item danger" onClick={() => void chat.discard(message)}>
                      <Icon name="trash" size={20} />
                      {words.discard}
                    </Menu.Item>
                  ) : (
                    !readOnly && (
                      <Menu.Item className="menu-item danger" onClick={() => setAsking({ what: "remove", message })}>
                        <Icon name="trash" size={20} />
                        {words.removeForMe}
                      </Menu.Item>
                    )
                  )}
                </>
              )}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      <EmojiPicker
        anchor={picking?.anchor}
        onClose={() => setPicking(undefined)}
        onPick={(emoji) => {
          if (picking) chat.react(picking.message, emoji);
          setPicking(undefined);
        }}
      />
      {group && <Readers group={group} message={read} onClose={() => setRead(undefined)} />}
      <Question
        open={asking !== undefined}
        title={asking?.what === "recall" ? words.recallTitle : words.removeTitle}
        text={asking?.what === "recall" ? words.recallText : words.removeText}
        action={asking?.what === "recall" ? words.recallShort : words.remove}
        onAction={() => asking && void (asking.what === "recall" ? chat.recall(asking.message) : chat.remove(asking.message))}
        onClose={() => setAsking(undefined)}
      />
    </>
  );
}

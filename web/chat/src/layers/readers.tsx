/** Who of a group has read one of one's own messages. Asked for when it is opened; people of large groups are only counted. */
import { Dialog } from "@base-ui/react/dialog";
import type { Group, Message } from "@hongyan/sdk";
import type { Receipts } from "@hongyan/sdk/groups";
import { useEffect, useState } from "react";
import { useNames } from "../views/names.js";
import { Avatar, Spinner } from "../views/parts.js";
import { useChat } from "../views/watch.js";
import { useSpeech } from "../words/speech.js";

export function Readers({ group, message, onClose }: { group: Group; message: Message | undefined; onClose: () => void }) {
  const chat = useChat();
  const { words } = useSpeech();
  const nameOf = useNames();
  const [receipts, setReceipts] = useState<Receipts>();
  const seq = message?.seq;

  useEffect(() => {
    if (seq === undefined) return;
    let wanted = true;
    setReceipts(undefined);
    void chat.act((groups, client) => groups.receipts(client, group.group, seq)).then((told) => {
      if (!wanted) return;
      if (told) setReceipts(told);
      else onClose();
    });
    return () => {
      wanted = false;
    };
  }, [chat, group.group, seq]);

  return (
    <Dialog.Root open={message !== undefined} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">{words.readByTitle}</Dialog.Title>
          <div aria-live="polite">
            {receipts ? (
              <>
                <p className="dialog-text readers-count">
                  <b>{words.readByCount(receipts.read, receipts.members)}</b>
                  <br />
                  {words.deliveredCount(receipts.delivered, receipts.members)}
                </p>
                <ul className="readers">
                  {receipts.readers.map((user) => (
                    <li key={user} className="member">
                      <Avatar name={user} title={nameOf(user)} size="small" />
                      <bdi>{nameOf(user)}</bdi>
                    </li>
                  ))}
                </ul>
                {receipts.readers.length === 0 && <p className="dialog-text">{receipts.read > 0 ? words.tooManyToName : words.nobodyYet}</p>}
              </>
            ) : (
              <p className="dialog-text">
                <Spinner />
              </p>
            )}
          </div>
          <div className="dialog-actions">
            <Dialog.Close className="button quiet">{words.close}</Dialog.Close>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

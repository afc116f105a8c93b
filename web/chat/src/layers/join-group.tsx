/** Somebody has opened the address of an invitation: asks whether they want to come in. */
import { Dialog } from "@base-ui/react/dialog";
import { type FormEvent, useState } from "react";
import { idOfGroup } from "../model/names.js";
import { endInvitation, go, type Invitation } from "../model/route.js";
import { useChat } from "../views/watch.js";
import { useSpeech } from "../words/speech.js";

const TEXT_CHARACTERS_MAX = 64;

export function JoinGroup({ invitation }: { invitation: Invitation | undefined }) {
  const chat = useChat();
  const { words } = useSpeech();
  const [text, setText] = useState("");
  const [working, setWorking] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!invitation) return;
    setWorking(true);
    const { group, link } = invitation;
    const isIn = await chat.act((groups, client) => groups.join(client, group, { ...(link && { link }), ...(text && { text }) }));
    setWorking(false);
    if (isIn === undefined) return;
    endInvitation();
    if (isIn) go(idOfGroup(group));
    else chat.say("joinPending");
  };

  return (
    <Dialog.Root open={invitation !== undefined} onOpenChange={(next) => !next && endInvitation()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">{words.joinTitle(invitation?.group ?? "")}</Dialog.Title>
          <Dialog.Description className="dialog-text">{invitation?.link ? words.joinLead : words.joinOpenLead}</Dialog.Description>
          <form onSubmit={(event) => void submit(event)} noValidate>
            {invitation?.link === "" && (
              <label className="field">
                <span>{words.joinText}</span>
                <input value={text} maxLength={TEXT_CHARACTERS_MAX} onChange={(event) => setText(event.target.value)} autoComplete="off" />
              </label>
            )}
            <div className="dialog-actions">
              <Dialog.Close className="button quiet">{words.cancel}</Dialog.Close>
              <button type="submit" className="button" disabled={working}>
                {working ? words.working : words.join}
              </button>
            </div>
          </form>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

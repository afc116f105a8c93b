/** Asks for the title and the people of a new group, and goes there. */
import { Dialog } from "@base-ui/react/dialog";
import { type FormEvent, useState } from "react";
import { idOfGroup } from "../model/names.js";
import { go } from "../model/route.js";
import { useChat } from "../views/watch.js";
import { useSpeech } from "../words/speech.js";
import { PeopleField } from "./people-field.js";

/** PROTOCOL.md §21, in characters that have up to four bytes. */
const TITLE_CHARACTERS_MAX = 32;

export function NewGroup({ open, onClose }: { open: boolean; onClose: () => void }) {
  const chat = useChat();
  const { words } = useSpeech();
  const [title, setTitle] = useState("");
  const [people, setPeople] = useState<readonly string[]>([]);
  const [working, setWorking] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setWorking(true);
    const group = await chat.act((groups, client) => groups.createGroup(client, { title: title.trim(), users: [...people] }));
    setWorking(false);
    if (group === undefined) return;
    go(idOfGroup(group));
    setTitle("");
    setPeople([]);
    onClose();
  };

  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">{words.newGroup}</Dialog.Title>
          <Dialog.Description className="dialog-text">{words.newGroupLead}</Dialog.Description>
          <form className="form" onSubmit={(event) => void submit(event)} noValidate>
            <label className="field">
              <span>{words.groupTitle}</span>
              <input name="title" value={title} maxLength={TITLE_CHARACTERS_MAX} onChange={(event) => setTitle(event.target.value)} autoComplete="off" />
              <small>{words.groupTitleHint}</small>
            </label>
            <PeopleField people={people} onChange={setPeople} label={words.people} />
            <div className="dialog-actions">
              <Dialog.Close className="button quiet">{words.cancel}</Dialog.Close>
              <button type="submit" className="button" disabled={title.trim() === "" || working}>
                {working ? words.working : words.create}
              </button>
            </div>
          </form>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Asks for the name of the person to write to. */
import { Dialog } from "@base-ui/react/dialog";
import { type FormEvent, useState } from "react";
import { isName, NAME_CHARACTERS_MAX } from "../model/names.js";
import { useSpeech } from "../words/speech.js";

interface Props {
  open: boolean;
  onClose: () => void;
  onStart: (user: string) => void;
}

export function NewChat({ open, onClose, onStart }: Props) {
  const { words } = useSpeech();
  const [name, setName] = useState("");
  const [wrong, setWrong] = useState(false);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isName(name)) return setWrong(true);
    onStart(name);
    setName("");
    onClose();
  };

  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">{words.newChat}</Dialog.Title>
          <Dialog.Description className="dialog-text">{words.newChatLead}</Dialog.Description>
          <form onSubmit={submit} noValidate>
            <label className="field">
              <span>{words.userName}</span>
              <input
                value={name}
                maxLength={NAME_CHARACTERS_MAX}
                onChange={(event) => {
                  setName(event.target.value.trim());
                  setWrong(false);
                }}
                autoCapitalize="none"
                autoCorrect="off"
                autoComplete="off"
                spellCheck={false}
                aria-invalid={wrong}
              />
              <small role={wrong ? "alert" : undefined} className={wrong ? "wrong" : undefined}>
                {wrong ? words.nameBad : words.newChatHint}
              </small>
            </label>
            <div className="dialog-actions">
              <Dialog.Close className="button quiet">{words.cancel}</Dialog.Close>
              <button type="submit" className="button" disabled={name === ""}>
                {words.start}
              </button>
            </div>
          </form>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

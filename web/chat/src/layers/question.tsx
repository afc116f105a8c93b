/** Asks before something that cannot be taken back. */
import { AlertDialog } from "@base-ui/react/alert-dialog";
import { useSpeech } from "../words/speech.js";

interface Props {
  open: boolean;
  title: string;
  text: string;
  action: string;
  onAction: () => void;
  onClose: () => void;
}

export function Question({ open, title, text, action, onAction, onClose }: Props) {
  const { words } = useSpeech();
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog">
          <AlertDialog.Title className="dialog-title">{title}</AlertDialog.Title>
          <AlertDialog.Description className="dialog-text">{text}</AlertDialog.Description>
          <div className="dialog-actions">
            <AlertDialog.Close className="button quiet">{words.cancel}</AlertDialog.Close>
            <AlertDialog.Close className="button danger" onClick={onAction}>
              {action}
            </AlertDialog.Close>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

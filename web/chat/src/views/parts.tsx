/** The smallest shared pieces: a person's picture, a button with a picture and a name, a spinner, a question. */
import { AlertDialog } from "@base-ui/react/alert-dialog";
import { Tooltip } from "@base-ui/react/tooltip";
import type { ComponentProps, ReactNode } from "react";
import { hueOf, initials } from "../model/names.js";
import { useSpeech } from "../words/speech.js";
import { Icon, type IconName } from "./icons.js";

export function Avatar({ name, size = "medium" }: { name: string; size?: "small" | "medium" | "large" }) {
  return (
    <span className={`avatar ${size} hue-${hueOf(name)}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

type ButtonProps = ComponentProps<"button"> & { icon: IconName; label: string; size?: number };

/** A round button; its name shows when somebody rests on it. */
export function IconButton({ icon, label, size, className = "", ...rest }: ButtonProps) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger render={<button type="button" {...rest} className={`icon-button ${className}`} aria-label={label} />}>
        <Icon name={icon} size={size} />
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Positioner sideOffset={6} className="layer tip-layer">
          <Tooltip.Popup className="tip">{label}</Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

export const Spinner = () => <span className="spinner" aria-hidden="true" />;

interface QuestionProps {
  open: boolean;
  title: string;
  text: string;
  action: string;
  onAction: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. */
export function Question({ open, title, text, action, onAction, onClose }: QuestionProps) {
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

export function Empty({ title, text, children }: { title: string; text?: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {text && <p className="empty-text">{text}</p>}
      {children}
    </div>
  );
}

/** A text that becomes a field when somebody may change it and wants to. */
import { type FormEvent, type KeyboardEvent, useState } from "react";
import { Rich } from "../text/rich.js";
import { IconButton } from "../views/parts.js";
import { useSpeech } from "../words/speech.js";

interface Props {
  label: string;
  value: string;
  /** Shown in the place of an empty text. */
  empty?: string;
  /** What changing is called; nothing = it may not be changed. */
  action: string | undefined;
  max: number;
  /** Of several lines. */
  long?: boolean;
  className?: string;
  onSave: (value: string) => unknown;
}

export function EditableText({ label, value, empty = "", action, max, long = false, className = "", onSave }: Props) {
  const { words } = useSpeech();
  const [written, setWritten] = useState<string>();
  if (written === undefined) {
    if (!value && !empty && !action) return null;
    return (
      <div className={`editable ${className}`}>
        <span className={`editable-text ${value ? "" : "dim"}`} dir="auto">
          {value ? <Rich text={value} /> : empty || label}
        </span>
        {action && <IconButton icon="pen" size={17} label={action} className="tip-end" onClick={() => setWritten(value)} />}
      </div>
    );
  }

  const save = (event: FormEvent) => {
    event.preventDefault();
    if (written.trim() !== value) onSave(written.trim());
    setWritten(undefined);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    // Only this field, not the panel around it.
    event.stopPropagation();
    setWritten(undefined);
  };
  const field = { value: written, maxLength: max, "aria-label": label, autoFocus: true, onKeyDown: onKey };
  return (
    <form className="editable-form field" onSubmit={save}>
      {long ? <textarea rows={4} {...field} onChange={(event) => setWritten(event.target.value)} /> : <input {...field} onChange={(event) => setWritten(event.target.value)} />}
      <div className="dialog-actions">
        <button type="button" className="button quiet" onClick={() => setWritten(undefined)}>
          {words.cancel}
        </button>
        <button type="submit" className="button">
          {words.save}
        </button>
      </div>
    </form>
  );
}

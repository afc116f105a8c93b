/** The smallest shared pieces: a person's picture, a button with a picture and a name, a spinner, an empty place. */
import type { ComponentProps, ReactNode } from "react";
import { hueOf, initials, isGroup, isVisitor } from "../model/names.js";
import { Icon, type IconName } from "./icons.js";

const AVATAR_ICON_PX = { tiny: 18, small: 22, medium: 27, large: 40 };

/** `title`: of a group, whose name is of no beauty. */
export function Avatar({ name, title = name, size = "medium" }: { name: string; title?: string; size?: "tiny" | "small" | "medium" | "large" }) {
  return (
    <span className={`avatar ${size} hue-${hueOf(name)} ${isGroup(name) ? "group" : ""}`} aria-hidden="true">
      {isVisitor(name) ? <Icon name="globe" size={AVATAR_ICON_PX[size]} /> : initials(title)}
    </span>
  );
}

type ButtonProps = ComponentProps<"button"> & { icon: IconName; label: string; size?: number };

/** A round button; its name shows when somebody rests on it. */
export function IconButton({ icon, label, size, className = "", ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} className={`icon-button ${className}`} aria-label={label} data-tip={label}>
      <Icon name={icon} size={size} />
    </button>
  );
}

export const Spinner = () => <span className="spinner" aria-hidden="true" />;

export function Empty({ title, text, children }: { title: string; text?: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {text && <p className="empty-text">{text}</p>}
      {children}
    </div>
  );
}

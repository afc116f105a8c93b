/** Everything about a group at the side of its conversation: what it is, who is in it, and what this person may change. */
import { Dialog } from "@base-ui/react/dialog";
import type { Conversation, Group } from "@hongyan/sdk";
import { useRef } from "react";
import { titleOf } from "../model/names.js";
import type { Timeline } from "../model/timeline.js";
import { Pinned } from "../views/group.js";
import { useNames } from "../views/names.js";
import { Avatar, IconButton } from "../views/parts.js";
import { useChat } from "../views/watch.js";
import { useSpeech } from "../words/speech.js";
import { EditableText } from "./editable-text.js";
import { GroupMembers } from "./group-members.js";
import { GroupSettings } from "./group-settings.js";

/** PROTOCOL.md §21. Titles and texts may have characters of up to four bytes. */
const TITLE_CHARACTERS_MAX = 32;
const ABOUT_CHARACTERS_MAX = 256;
const ANNOUNCEMENT_CHARACTERS_MAX = 1_024;

interface Props {
  conversation: Conversation;
  timeline: Timeline;
  open: boolean;
  onClose: () => void;
}

export function GroupPanel({ conversation, timeline, open, onClose }: Props) {
  const { words } = useSpeech();
  const { group } = conversation;
  // Not on the button that closes it.
  const body = useRef<HTMLDivElement>(null);
  if (!group) return null;
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="drawer" initialFocus={body}>
          <header className="drawer-head">
            <Dialog.Title className="dialog-title">{words.groupInfo}</Dialog.Title>
            <IconButton icon="close" label={words.close} className="tip-end" onClick={onClose} />
          </header>
          <div className="drawer-body" ref={body} tabIndex={-1}>
            <Identity conversation={conversation} group={group} />
            <Announcement group={group} />
            {group.pinned.length > 0 && (
              <section className="drawer-part">
                <h3>{words.pinnedMessages}</h3>
                {group.pinned.toReversed().map((seq) => (
                  <Pinned key={seq} seq={seq} timeline={timeline} className="drawer-pinned" onGo={onClose} />
                ))}
              </section>
            )}
            {group.asking.length > 0 && <Asking group={group} />}
            {!group.left && <GroupMembers group={group} onGone={onClose} />}
            {!group.left && !group.dissolved && <GroupSettings group={group} onGone={onClose} />}
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

const leads = ({ role, left, dissolved }: Group): boolean => role !== "member" && !left && !dissolved;

function Identity({ conversation, group }: { conversation: Conversation; group: Group }) {
  const chat = useChat();
  const { words } = useSpeech();
  const title = titleOf(conversation, words);
  return (
    <section className="drawer-part identity">
      <Avatar name={conversation.user} title={title} size="large" />
      <EditableText
        className="identity-title"
        label={words.groupTitle}
        action={leads(group) ? words.editTitle : undefined}
        value={title}
        max={TITLE_CHARACTERS_MAX}
        onSave={(next) => next !== "" && chat.act((groups, client) => groups.setProfile(client, group.group, { title: next }))}
      />
      <p className="dim">{words.groupMembers(group.memberCount)}</p>
      <EditableText
        label={words.about}
        action={leads(group) ? words.editAbout : undefined}
        value={group.intro}
        max={ABOUT_CHARACTERS_MAX}
        long
        onSave={(intro) => chat.act((groups, client) => groups.setProfile(client, group.group, { intro }))}
      />
    </section>
  );
}

function Announcement({ group }: { group: Group }) {
  const chat = useChat();
  const { words } = useSpeech();
  if (!group.announcement && !leads(group)) return null;
  return (
    <section className="drawer-part">
      <h3>{words.announcement}</h3>
      <EditableText
        label={words.announcement}
        action={leads(group) ? words.editAnnouncement : undefined}
        value={group.announcement}
        empty={words.noAnnouncement}
        max={ANNOUNCEMENT_CHARACTERS_MAX}
        long
        onSave={(text) => chat.act((groups, client) => groups.setAnnouncement(client, group.group, text))}
      />
    </section>
  );
}

/** Requests to join, for those who may admit. */
function Asking({ group }: { group: Group }) {
  const chat = useChat();
  const { words, clock } = useSpeech();
  const nameOf = useNames();
  const decide = (user: string, admitted: boolean) => void chat.act((groups, client) => groups.admit(client, group.group, user, admitted));
  return (
    <section className="drawer-part">
      <h3>{words.asking}</h3>
      <ul>
        {group.asking.map(({ user, text, timeMs }) => (
          <li key={user} className="member asking">
            <Avatar name={user} size="small" />
            <span className="member-main">
              <bdi title={clock.full(timeMs)}>{nameOf(user)}</bdi>
              {text && <small dir="auto">{text}</small>}
            </span>
            <button type="button" className="text-button" onClick={() => decide(user, true)}>
              {words.admit}
              <span className="unseen"> {user}</span>
            </button>
            <button type="button" className="text-button quiet" onClick={() => decide(user, false)}>
              {words.reject}
              <span className="unseen"> {user}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

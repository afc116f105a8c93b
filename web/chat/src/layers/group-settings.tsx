/** What a member may set for themselves, and what owner and admins may set for all. */
import type { Group, GroupHistory, GroupJoining } from "@hongyan/sdk";
import { useId, useState } from "react";
import { invitationAddress } from "../model/route.js";
import { Icon } from "../views/icons.js";
import { useChat } from "../views/watch.js";
import { useSpeech } from "../words/speech.js";
import { EditableText } from "./editable-text.js";
import { Question } from "./question.js";

/** Of 64 bytes, in characters that have up to four. */
const NICKNAME_CHARACTERS_MAX = 16;

export function GroupSettings({ group, onGone }: { group: Group; onGone: () => void }) {
  const chat = useChat();
  const { words } = useSpeech();
  const leads = group.role !== "member";
  return (
    <>
      <section className="drawer-part">
        <h3>{words.nickname}</h3>
        <EditableText
          label={words.nickname}
          action={words.nickname}
          value={group.nickname}
          empty={words.nicknameNone}
          max={NICKNAME_CHARACTERS_MAX}
          onSave={(nickname) => chat.act((groups, client) => groups.setNickname(client, group.group, nickname))}
        />
      </section>
      {leads && <Link group={group} />}
      {leads && <Rules group={group} />}
      <Ending group={group} onGone={onGone} />
    </>
  );
}

function Link({ group }: { group: Group }) {
  const chat = useChat();
  const { words } = useSpeech();
  const copy = async (fresh: boolean) => {
    const known = fresh ? undefined : chat.links.get(group.group);
    const link = known ?? (await chat.act((groups, client) => groups.newLink(client, group.group)));
    if (link === undefined) return;
    chat.links.set(group.group, link);
    await navigator.clipboard.writeText(invitationAddress({ group: group.group, link })).then(() => chat.say("copied"), () => chat.say("other"));
  };
  return (
    <section className="drawer-part">
      <h3>{words.invitation}</h3>
      <p className="drawer-buttons">
        <button type="button" className="button quiet" onClick={() => void copy(false)}>
          <Icon name="link" size={18} />
          {words.copyLink}
        </button>
        {chat.links.has(group.group) && (
          <button type="button" className="text-button quiet" onClick={() => void copy(true)}>
            {words.newLink}
          </button>
        )}
      </p>
      <p className="dim hint">{words.newLinkHint}</p>
    </section>
  );
}

/** Policies are the owner's; silence is an admin's, too. */
function Rules({ group }: { group: Group }) {
  const chat = useChat();
  const { words } = useSpeech();
  const isOwner = group.role === "owner";
  const set = (change: { join?: GroupJoining; history?: GroupHistory; membersInvite?: boolean }) => {
    const { join, history, membersInvite } = group;
    void chat.act((groups, client) => groups.setPolicies(client, group.group, { join, history, membersInvite, ...change }));
  };
  return (
    <section className="drawer-part">
      <Switch label={words.muteAll} on={group.mutedAll} onChange={(on) => void chat.act((groups, client) => groups.muteAll(client, group.group, on))} />
      {isOwner && (
        <>
          <Switch label={words.membersInvite} on={group.membersInvite} onChange={(membersInvite) => set({ membersInvite })} />
          <Choice label={words.whoJoins} value={group.join} values={["invited", "asked", "open"]} names={words.joining} onChange={(join) => set({ join })} />
          <Choice label={words.newSee} value={group.history} values={["joining", "everything"]} names={words.histories} onChange={(history) => set({ history })} />
        </>
      )}
    </section>
  );
}

function Switch({ label, on, onChange }: { label: string; on: boolean; onChange: (on: boolean) => void }) {
  return (
    <button type="button" role="switch" aria-checked={on} className="setting" data-checked={on ? "" : undefined} onClick={() => onChange(!on)}>
      {label}
      <span className="switch" aria-hidden="true" />
    </button>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  values: readonly T[];
  names: Record<T, string>;
  onChange: (value: T) => void;
}

function Choice<T extends string>({ label, value, values, names, onChange }: ChoiceProps<T>) {
  const id = useId();
  return (
    <fieldset className="setting-choice">
      <legend>{label}</legend>
      <div className="choice">
        {values.map((one) => (
          <label key={one} className="choice-item" data-checked={one === value ? "" : undefined}>
            <input type="radio" className="unseen" name={id} checked={one === value} onChange={() => onChange(one)} />
            {names[one]}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Ways out. */
function Ending({ group, onGone }: { group: Group; onGone: () => void }) {
  const chat = useChat();
  const { words } = useSpeech();
  const [asking, setAsking] = useState<"leave" | "dissolve">();
  const isOwner = group.role === "owner";
  return (
    <section className="drawer-part">
      {isOwner ? (
        <p className="dim hint">{words.ownerLeaves}</p>
      ) : (
        <button type="button" className="setting danger" onClick={() => setAsking("leave")}>
          <Icon name="exit" size={20} />
          {words.leaveGroup}
        </button>
      )}
      {isOwner && (
        <button type="button" className="setting danger" onClick={() => setAsking("dissolve")}>
          <Icon name="trash" size={20} />
          {words.dissolveGroup}
        </button>
      )}
      <Question
        open={asking === "leave"}
        title={words.leaveTitle}
        text={words.leaveText}
        action={words.leaveShort}
        onAction={() => void chat.act((groups, client) => groups.leave(client, group.group)).then(onGone)}
        onClose={() => setAsking(undefined)}
      />
      <Question
        open={asking === "dissolve"}
        title={words.dissolveTitle}
        text={words.dissolveText}
        action={words.dissolveShort}
        onAction={() => void chat.act((groups, client) => groups.dissolve(client, group.group)).then(onGone)}
        onClose={() => setAsking(undefined)}
      />
    </section>
  );
}

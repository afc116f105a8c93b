/** The members of a group: who they are, and what may be done with each of them. */
import { Menu } from "@base-ui/react/menu";
import type { Group } from "@hongyan/sdk";
import type { Member } from "@hongyan/sdk/groups";
import { useState } from "react";
import { shownName } from "../model/mentions.js";
import type { GroupActions } from "../model/people.js";
import { go } from "../model/route.js";
import { Icon } from "../views/icons.js";
import { useMembers } from "../views/names.js";
import { Avatar, IconButton } from "../views/parts.js";
import { useChat } from "../views/watch.js";
import { useSpeech } from "../words/speech.js";
import { PeopleField } from "./people-field.js";
import { Question } from "./question.js";

/** More are found by searching. */
const SHOWN_MAX = 60;
const SEARCH_FROM = 12;
const HOUR_SECONDS = 3_600;
const RANKS = { owner: 0, admin: 1, member: 2 };

interface Target {
  member: Member;
  anchor: Element;
}

export function GroupMembers({ group, onGone }: { group: Group; onGone: () => void }) {
  const { words } = useSpeech();
  const members = useMembers();
  const [search, setSearch] = useState("");
  const [adding, setAdding] = useState(false);
  const [target, setTarget] = useState<Target>();
  const low = search.trim().toLowerCase();
  const all = [...members.values()].sort((a, b) => RANKS[a.role] - RANKS[b.role] || (shownName(a).toLowerCase() < shownName(b).toLowerCase() ? -1 : 1));
  const found = low ? all.filter(({ user, nickname }) => user.toLowerCase().includes(low) || nickname.toLowerCase().includes(low)) : all;
  const more = (low ? found.length : Math.max(group.memberCount, found.length)) - Math.min(found.length, SHOWN_MAX);
  const mayInvite = !group.dissolved && (group.role !== "member" || group.membersInvite);

  return (
    <section className="drawer-part">
      <h3>{words.groupMembers(group.memberCount)}</h3>
      {all.length > SEARCH_FROM && (
        <div className="field">
          <input value={search} placeholder={words.searchMembers} aria-label={words.searchMembers} onChange={(event) => setSearch(event.target.value)} autoCapitalize="none" spellCheck={false} />
        </div>
      )}
      <ul className="members">
        {mayInvite && (
          <li>
            <button type="button" className="member add" aria-expanded={adding} onClick={() => setAdding(!adding)}>
              <span className="avatar small add-mark" aria-hidden="true">
                <Icon name="plus" />
              </span>
              {words.addPeople}
            </button>
            {adding && <Add group={group} onDone={() => setAdding(false)} />}
          </li>
        )}
        {found.slice(0, SHOWN_MAX).map((member) => (
          <Row key={member.user} member={member} onMenu={(anchor) => setTarget({ member, anchor })} open={target?.member.user === member.user} />
        ))}
      </ul>
      {more > 0 && <p className="dim more-members">{words.moreMembers(more)}</p>}
      <MemberMenu group={group} target={target} onClose={() => setTarget(undefined)} onGone={onGone} />
    </section>
  );
}

function Row({ member, open, onMenu }: { member: Member; open: boolean; onMenu: (anchor: Element) => void }) {
  const { me } = useChat();
  const { words } = useSpeech();
  const { user, nickname, role, mutedUntilMs } = member;
  const name = shownName(member);
  const details = [nickname && user, role !== "member" && words.roles[role], mutedUntilMs > Date.now() && words.muted].filter(Boolean);
  return (
    <li className="member">
      <Avatar name={user} title={name} size="small" />
      <span className="member-main">
        <span>
          <bdi>{name}</bdi>
          {user === me && <span className="dim"> · {words.youSubject}</span>}
        </span>
        {details.length > 0 && <small>{details.join(" · ")}</small>}
      </span>
      {role === "owner" && <Icon name="crown" size={18} />}
      {user !== me && <IconButton icon="more" label={words.memberActions(name)} className="tip-end" aria-haspopup="menu" aria-expanded={open} onClick={(event) => onMenu(event.currentTarget)} />}
    </li>
  );
}

function Add({ group, onDone }: { group: Group; onDone: () => void }) {
  const chat = useChat();
  const { words } = useSpeech();
  const members = useMembers();
  const [people, setPeople] = useState<readonly string[]>([]);
  const add = async () => {
    const done = await chat.act(async (groups, client) => {
      await groups.invite(client, group.group, [...people]);
      return true;
    });
    if (done) onDone();
  };
  return (
    <div className="add-form">
      <PeopleField people={people} onChange={setPeople} label={words.people} without={(user) => members.has(user)} />
      <div className="dialog-actions">
        <button type="button" className="button quiet" onClick={onDone}>
          {words.cancel}
        </button>
        <button type="button" className="button" disabled={people.length === 0} onClick={() => void add()}>
          {words.add}
        </button>
      </div>
    </div>
  );
}

/** The table of PROTOCOL.md §21, so far as it decides what is offered; the server decides what is done. */
function MemberMenu({ group, target, onClose, onGone }: { group: Group; target: Target | undefined; onClose: () => void; onGone: () => void }) {
  const chat = useChat();
  const { words } = useSpeech();
  const [asking, setAsking] = useState<{ what: "remove" | "handOver"; member: Member }>();
  // What was shown last stays while the menu fades out.
  const [last, setLast] = useState(target);
  if (target && target !== last) setLast(target);
  const member = last?.member;
  const isOwner = group.role === "owner" && !group.dissolved;
  const rules = member !== undefined && !group.dissolved && (isOwner || (group.role === "admin" && member.role === "member"));
  const isMuted = (member?.mutedUntilMs ?? 0) > Date.now();
  const act = (act: (groups: GroupActions, user: string) => Promise<unknown>, user = member?.user ?? "") => void chat.act((groups) => act(groups, user));
  const { client } = chat;
  const id = group.group;

  return (
    <>
      <Menu.Root open={target !== undefined} onOpenChange={(open) => !open && onClose()}>
        <Menu.Portal>
          <Menu.Positioner className="layer" anchor={last?.anchor} align="end" sideOffset={4}>
            <Menu.Popup className="menu" aria-label={words.memberActions(member ? shownName(member) : "")}>
              {member && (
                <>
                  <Menu.Item
                    className="menu-item"
                    onClick={() => {
                      onGone();
                      go(member.user);
                    }}
                  >
                    <Icon name="pen" size={20} />
                    {words.writeTo(member.user)}
                  </Menu.Item>
                  {isOwner && (
                    <Menu.Item className="menu-item" onClick={() => act((groups, user) => groups.setAdmin(client, id, user, member.role !== "admin"))}>
                      <Icon name="check" size={20} />
                      {member.role === "admin" ? words.takeAdmin : words.makeAdmin}
                    </Menu.Item>
                  )}
                  {rules && isMuted && (
                    <Menu.Item className="menu-item" onClick={() => act((groups, user) => groups.mute(client, id, user, 0))}>
                      <Icon name="voice" size={20} />
                      {words.unmute}
                    </Menu.Item>
                  )}
                  {rules &&
                    !isMuted &&
                    ([["hour", HOUR_SECONDS], ["day", 24 * HOUR_SECONDS]] as const).map(([span, seconds]) => (
                      <Menu.Item key={span} className="menu-item" onClick={() => act((groups, user) => groups.mute(client, id, user, seconds))}>
                        <Icon name="mute" size={20} />
                        {words.muteFor[span]}
                      </Menu.Item>
                    ))}
                  {isOwner && (
                    <Menu.Item className="menu-item" onClick={() => setAsking({ what: "handOver", member })}>
                      <Icon name="crown" size={20} />
                      {words.handOver}
                    </Menu.Item>
                  )}
                  {rules && <Menu.Separator className="menu-line" />}
                  {rules && (
                    <Menu.Item className="menu-item danger" onClick={() => setAsking({ what: "remove", member })}>
                      <Icon name="exit" size={20} />
                      {words.removeMember}
                    </Menu.Item>
                  )}
                </>
              )}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      <Question
        open={asking?.what === "remove"}
        title={words.removeMemberTitle(asking ? shownName(asking.member) : "")}
        text={words.removeMemberText}
        action={words.removeShort}
        onAction={() => act((groups, user) => groups.removeMembers(client, id, [user]), asking?.member.user)}
        onClose={() => setAsking(undefined)}
      />
      <Question
        open={asking?.what === "handOver"}
        title={words.handOverTitle(asking ? shownName(asking.member) : "")}
        text={words.handOverText}
        action={words.handOverShort}
        onAction={() => act((groups, user) => groups.setOwner(client, id, user), asking?.member.user)}
        onClose={() => setAsking(undefined)}
      />
    </>
  );
}

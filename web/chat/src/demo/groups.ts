/** What can be done with the groups of demo mode: the same functions as `@hongyan/sdk/groups`, on what is in memory. */
import type { Group, GroupEvent } from "@hongyan/sdk";
import type { Member } from "@hongyan/sdk/groups";
import type { GroupActions } from "../model/people.js";
import type { DemoClient } from "./client.js";
import { ME, MEMBERS } from "./script.js";

const SECOND_MS = 1_000;

export function demoGroups(demo: DemoClient): GroupActions {
  const people = new Map<string, Member[]>([["release-team", [...MEMBERS]]]);
  const known = (group: string): Group => demo.conversationOf(`#${group}`).group!;
  const membersOf = (group: string): Member[] => people.get(group) ?? [];

  const change = (group: string, changed: Partial<Group>, event?: GroupEvent) => {
    const before = known(group);
    demo.moved(`#${group}`, { group: { ...before, ...changed, profileVersion: before.profileVersion + 1 } });
    if (event) demo.receive(`#${group}`, "", { event, own: true, sender: ME });
  };
  const changeMembers = (group: string, members: Member[], event?: GroupEvent, changed: Partial<Group> = {}) => {
    people.set(group, members);
    change(group, { memberCount: members.length, memberListVersion: known(group).memberListVersion + 1, ...changed }, event);
  };
  const changeMember = (group: string, user: string, changed: Partial<Member>, event?: GroupEvent) =>
    changeMembers(group, membersOf(group).map((member) => (member.user === user ? { ...member, ...changed } : member)), event);
  const member = (user: string, role: Member["role"] = "member"): Member => ({ user, role, nickname: "", joinedMs: Date.now(), mutedUntilMs: 0 });

  return {
    async createGroup(_, { title, users = [] }) {
      const group = `group-${people.size}`;
      people.set(group, [member(ME, "owner"), ...users.map((user) => member(user))]);
      const made: Group = {
        ...{ group, title, intro: "", avatar: "", announcement: "", owner: ME, join: "invited", history: "joining", membersInvite: false },
        ...{ mutedAll: false, pinned: [], memberCount: users.length + 1, profileVersion: 1, memberListVersion: 1, role: "owner", nickname: "" },
        ...{ mutedUntilMs: 0, mentionSeq: 0, left: false, dissolved: false, asking: [] },
      };
      demo.moved(`#${group}`, { group: made });
      change(group, {}, { created: title });
      if (users.length) change(group, {}, { joined: { users } });
      return group;
    },
    invite: async (_, group, users) => changeMembers(group, [...membersOf(group), ...users.map((user) => member(user))], { joined: { users } }),
    removeMembers: async (_, group, users) => changeMembers(group, membersOf(group).filter(({ user }) => !users.includes(user)), { left: { users } }),
    leave: async (_, group) => {
      change(group, { left: true }, { left: { users: [ME] } });
      demo.moved(`#${group}`, { readOnly: true });
    },
    dissolve: async (_, group) => {
      change(group, { dissolved: true }, { dissolved: true });
      demo.moved(`#${group}`, { readOnly: true });
    },
    setOwner: async (_, group, owner) => {
      changeMember(group, ME, { role: "admin" });
      changeMember(group, owner, { role: "owner" }, { owner });
      change(group, { owner, role: "admin" });
    },
    setAdmin: async (_, group, user, on) => changeMember(group, user, { role: on ? "admin" : "member" }, on ? { admin: user } : { member: user }),
    mute: async (_, group, user, seconds) => {
      const untilMs = seconds ? Date.now() + seconds * SECOND_MS : 0;
      changeMember(group, user, { mutedUntilMs: untilMs }, { silence: { user, untilMs } });
    },
    muteAll: async (_, group, mutedAll) => change(group, { mutedAll }, { mutedAll }),
    setProfile: async (_, group, profile) => change(group, profile, profile.title === undefined ? undefined : { title: profile.title }),
    setAnnouncement: async (_, group, announcement) => change(group, { announcement }, { announcement }),
    setPolicies: async (_, group, policies) => change(group, policies),
    setNickname: async (_, group, nickname) => {
      changeMember(group, ME, { nickname });
      change(group, { nickname });
    },
    pin: async (_, group, seq, pinned) => {
      const others = known(group).pinned.filter((other) => other !== seq);
      change(group, { pinned: pinned ? [...others, seq].sort((a, b) => a - b) : others }, pinned ? { pinned: seq } : { unpinned: seq });
    },
    admit: async (_, group, user, admitted) => {
      change(group, { asking: known(group).asking.filter((asking) => asking.user !== user) });
      if (admitted) changeMembers(group, [...membersOf(group), member(user)], { joined: { users: [user] } });
    },
    newLink: async () => "demo",
    join: async () => false,
    members: async (_, group) => ({ members: membersOf(group), version: known(group).memberListVersion }),
    receipts: async (_, group) => {
      const others = membersOf(group).filter(({ user }) => user !== ME);
      const readers = others.slice(0, 3).map(({ user }) => user);
      return { members: others.length, delivered: others.length - 1, read: readers.length, readers };
    },
  };
}

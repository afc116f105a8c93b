/**
 * What a screen of groups asks of the server beyond talking: to make a group, change it, join it, see its members and who has
 * read. Functions of their own, so that an application that only shows conversations does not carry them; the rules of who
 * may do what are in PROTOCOL.md §21 and the server's to know.
 *
 * `group` is a group's id, without the `#` of its conversation. What a request cannot do it rejects with a `Refusal`, and with
 * `"offline"` when there is no connection or no answer; asking again is another request.
 */

import type { Client, GroupHistory, GroupJoining, GroupRole } from "../api";
import { decode, encode, type Init, type Type } from "../wire/codec";
import { Operation } from "../wire/command";
import * as proto from "../wire/proto";

/** Who asks. */
export type Asker = Pick<Client, "ask">;

export interface NewGroup {
  title: string;
  /** Default: the server makes one. */
  group?: string;
  /** First members besides the one who creates it, at most 100. */
  users?: string[];
  join?: GroupJoining;
  history?: GroupHistory;
}

export interface Member {
  user: string;
  role: GroupRole;
  /** How they are seen in the group; empty = by their own name. */
  nickname: string;
  joinedMs: number;
  /** Until then they may not speak; 0 = may. */
  mutedUntilMs: number;
}

export interface Members {
  /** In the order of their names. */
  members: Member[];
  version: number;
}

/** Who has one of the messages, of the others who were members when it was said. */
export interface Receipts {
  members: number;
  delivered: number;
  read: number;
  /** Who has read it; only in groups of at most 200 members. */
  readers: string[];
}

const ID_BYTES = 16;
const PAGE_MEMBERS = 200;
const ROLES = ["member", "admin", "owner"] as const;
const JOINING = ["invited", "asked", "open"] as const;
const HISTORY = ["joining", "everything"] as const;

/** The place of a name in one of the lists above is its number on the wire. */
const numberOf = <T>(names: readonly T[], name: T | undefined): number => (name === undefined ? 0 : names.indexOf(name));

const clientRequestId = () => crypto.getRandomValues(new Uint8Array(ID_BYTES));

async function ask<R, A>(asker: Asker, operation: number, request: Type<R>, what: Init<R>, answer: Type<A>): Promise<A> {
  return decode(answer, await asker.ask(operation, encode(request, what)));
}

/** Returns its id. */
export async function createGroup(asker: Asker, { title, group, users, join, history }: NewGroup): Promise<string> {
  const request = { clientRequestId: clientRequestId(), group: group ?? "", profile: { title }, users: users ?? [], join: numberOf(JOINING, join), history: numberOf(HISTORY, history) };
  return (await ask(asker, Operation.CREATE_GROUP, proto.CreateGroupRequest, request, proto.CreateGroupAnswer)).group;
}

const change = (asker: Asker, group: string, what: Init<proto.ChangeGroupRequest>): Promise<proto.ChangeGroupAnswer> =>
  ask(asker, Operation.CHANGE_GROUP, proto.ChangeGroupRequest, { group, clientRequestId: clientRequestId(), ...what }, proto.ChangeGroupAnswer);

async function changed(asker: Asker, group: string, what: Init<proto.ChangeGroupRequest>): Promise<void> {
  await change(asker, group, what);
}

export const invite = (asker: Asker, group: string, users: string[]) => changed(asker, group, { invite: { users } });
export const removeMembers = (asker: Asker, group: string, users: string[]) => changed(asker, group, { remove: { users } });
export const leave = (asker: Asker, group: string) => changed(asker, group, { leave: {} });
/** Ends it for everybody. */
export const dissolve = (asker: Asker, group: string) => changed(asker, group, { dissolve: {} });
/** Hands it over. */
export const setOwner = (asker: Asker, group: string, owner: string) => changed(asker, group, { owner });
export const setAdmin = (asker: Asker, group: string, user: string, on: boolean) =>
  changed(asker, group, { role: { user, role: on ? proto.GroupRole.ADMIN : proto.GroupRole.MEMBER } });
/** For so many seconds from now; 0 = they may speak again. */
export const mute = (asker: Asker, group: string, user: string, seconds: number) => changed(asker, group, { mute: { user, seconds } });
/** Nobody but owner and admins speaks. */
export const muteAll = (asker: Asker, group: string, on: boolean) => changed(asker, group, { muteAll: on });
/** Only what is given changes. */
export const setProfile = (asker: Asker, group: string, profile: { title?: string; intro?: string; avatar?: string }) => changed(asker, group, { profile });
export const setAnnouncement = (asker: Asker, group: string, announcement: string) => changed(asker, group, { announcement });
export const setPolicies = (asker: Asker, group: string, { join, history, membersInvite }: { join: GroupJoining; history: GroupHistory; membersInvite: boolean }) =>
  changed(asker, group, { policies: { join: numberOf(JOINING, join), history: numberOf(HISTORY, history), membersInvite } });
/** One's own; empty = one's own name. */
export const setNickname = (asker: Asker, group: string, nickname: string) => changed(asker, group, { nickname });
export const pin = (asker: Asker, group: string, seq: number, pinned: boolean) => changed(asker, group, { pin: { seq, pinned } });
export const admit = (asker: Asker, group: string, user: string, admitted: boolean) => changed(asker, group, { admission: { user, admitted } });

/** By which others come in; an earlier one is of no use any more. */
export const newLink = async (asker: Asker, group: string): Promise<string> => (await change(asker, group, { newLink: {} })).link;

/** True = a member at once; false = somebody must admit first. */
export async function join(asker: Asker, group: string, { link = "", text = "" }: { link?: string; text?: string } = {}): Promise<boolean> {
  const request = { group, clientRequestId: clientRequestId(), link, text };
  return !(await ask(asker, Operation.JOIN_GROUP, proto.JoinGroupRequest, request, proto.JoinGroupAnswer)).pending;
}

/** One page after the other up to `max`; nothing if `known`, the version of an earlier answer, is still the newest. */
export async function members(asker: Asker, group: string, { known = 0, max = Infinity }: { known?: number; max?: number } = {}): Promise<Members | undefined> {
  const all: Member[] = [];
  for (let after = ""; ; ) {
    const request = { group, after, limit: PAGE_MEMBERS, memberListVersion: after ? 0 : known };
    const page = await ask(asker, Operation.GROUP_MEMBERS, proto.GroupMembersRequest, request, proto.GroupMembersAnswer);
    if (page.unchanged) return undefined;
    all.push(...page.members.map(({ role, ...member }) => ({ ...member, role: ROLES[role] ?? "member" })));
    after = page.members.at(-1)?.user ?? "";
    if (!page.more || !after || all.length >= max) return { members: all, version: page.memberListVersion };
  }
}

export async function receipts(asker: Asker, group: string, seq: number): Promise<Receipts> {
  const { members, delivered, read, readers } = await ask(asker, Operation.GROUP_RECEIPTS, proto.GroupReceiptsRequest, { group, seq }, proto.GroupReceiptsAnswer);
  return { members, delivered, read, readers };
}

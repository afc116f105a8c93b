/**
 * The members of the open group: how they are called, what they may do. Read again when the group's list of members has
 * another version; of a very large group only so many are known as one can look through.
 */
import type { Client, Conversation, Group } from "@hongyan/sdk";
import type { Member } from "@hongyan/sdk/groups";
import { groupIn } from "./names.js";
import { Signal } from "./signal.js";

const MEMBERS_MAX = 1_000;
/** After the list could not be had, the next attempt waits for another change, at least so long. */
const RETRY_MS = 3_000;

/** The functions of `@hongyan/sdk/groups`, or the demo's. */
export type GroupActions = typeof import("@hongyan/sdk/groups");

export class People {
  readonly members = new Signal<ReadonlyMap<string, Member>>(new Map());
  readonly id: string;
  #client: Client;
  #groups: GroupActions;
  #version = 0;
  #loading = false;
  #notBefore = 0;
  /** What is told while the list is on its way. */
  #latest: Group | undefined;

  constructor(client: Client, groups: GroupActions, id: string) {
    this.#client = client;
    this.#groups = groups;
    this.id = id;
  }

  /** The group is as it is told now. */
  async follow(conversation: Pick<Conversation, "group"> | undefined): Promise<void> {
    const group = (this.#latest = conversation?.group);
    if (!group || group.left || group.memberListVersion === this.#version || this.#loading || Date.now() < this.#notBefore) return;
    this.#loading = true;
    try {
      const told = await this.#groups.members(this.#client, groupIn(this.id), { known: this.#version, max: MEMBERS_MAX });
      this.#version = told?.version ?? group.memberListVersion;
      if (told) this.members.set(new Map(told.members.map((member) => [member.user, member])));
    } catch {
      // Names are shown without nicknames until it can be had.
      this.#notBefore = Date.now() + RETRY_MS;
    } finally {
      this.#loading = false;
    }
    if (this.#latest !== group) await this.follow({ group: this.#latest });
  }

  /** A nickname or a mute has no version: the list is read anew. */
  forget(): void {
    this.#version = 0;
  }
}

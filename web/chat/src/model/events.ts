/** What has happened to a group, in words. */
import type { GroupEvent } from "@hongyan/sdk";
import type { Words } from "../words/en.js";
import { zh } from "../words/zh.js";

/** People named one by one; the others are counted. */
const NAMED_MAX = 4;
const LISTS = { en: new Intl.ListFormat("en"), zh: new Intl.ListFormat("zh") };

export function eventText(event: GroupEvent, sender: string, words: Words, me: string, nameOf: (user: string) => string): string {
  const { events } = words;
  const who = sender === me ? words.youSubject : nameOf(sender);
  const whom = (user: string) => (user === me ? words.youObject : nameOf(user));
  if ("created" in event) return events.created(who, event.created);
  if ("joined" in event) return isAlone(event.joined.users, sender) ? events.joined(who) : events.invited(who, listed(event.joined.users, words, whom));
  if ("left" in event) return isAlone(event.left.users, sender) ? events.left(who) : events.removed(who, listed(event.left.users, words, whom));
  if ("owner" in event) return events.owner(who, whom(event.owner));
  if ("admin" in event) return events.admin(who, whom(event.admin));
  if ("member" in event) return events.member(who, whom(event.member));
  if ("silence" in event) return event.silence.untilMs ? events.muted(who, whom(event.silence.user)) : events.unmuted(who, whom(event.silence.user));
  if ("mutedAll" in event) return event.mutedAll ? events.mutedAll(who) : events.unmutedAll(who);
  if ("title" in event) return events.title(who, event.title);
  if ("announcement" in event) return events.announcement(who);
  if ("pinned" in event) return events.pinned(who);
  if ("unpinned" in event) return events.unpinned(who);
  if ("dissolved" in event) return events.dissolved(who);
  // Told by a newer server.
  return events.other(who);
}

const isAlone = (users: readonly string[], sender: string): boolean => users.length === 1 && users[0] === sender;

export function listed(users: readonly string[], words: Words, nameOf: (user: string) => string): string {
  const named = users.slice(0, users.length > NAMED_MAX ? NAMED_MAX - 1 : NAMED_MAX).map(nameOf);
  return (words === zh ? LISTS.zh : LISTS.en).format(users.length > named.length ? [...named, words.others(users.length - named.length)] : named);
}

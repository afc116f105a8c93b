/** The people and the talk of demo mode. Times are minutes before now. Not part of the product's bundle. */
import type { Group, Message } from "@hongyan/sdk";
import type { Member } from "@hongyan/sdk/groups";

export type Line = [minutesAgo: number, own: boolean, text: string, extra?: Partial<Message> & { replyToLine?: number }];

export interface Script {
  user: string;
  unread?: number;
  /** How far the other person is: lines from the end that are not read, and not delivered. */
  notRead?: number;
  notDelivered?: number;
  blocked?: boolean;
  group?: Group;
  lines: Line[];
}

const DAY = 24 * 60;

export const ME = "lin.wei";

/** The group of the demo and who is in it. */
export const TEAM = "#release-team";

export const MEMBERS: Member[] = (
  [
    ["lin.wei", "owner", ""],
    ["Maya.Okafor", "admin", "Maya"],
    ["chen.yu", "member", "陈老师"],
    ["Elena.Petrova", "member", ""],
    ["Priya", "member", ""],
    ["jonas", "member", ""],
    ["kenji", "member", ""],
    ["tariq.h", "member", "Tariq"],
  ] as const
).map(([user, role, nickname]) => ({ user, role, nickname, joinedMs: 0, mutedUntilMs: 0 }));

const group: Group = {
  ...{ group: "release-team", title: "Release team", intro: "Everything that has to be done before Thursday.", avatar: "" },
  announcement: "Freeze is on Wednesday at 18:00. Nothing goes in after that without two reviews: https://wiki.example.org/release/freeze",
  ...{ owner: ME, join: "asked", history: "everything", membersInvite: true, mutedAll: false, pinned: [4] },
  ...{ memberCount: MEMBERS.length, profileVersion: 1, memberListVersion: 1, role: "owner", nickname: "" },
  ...{ mutedUntilMs: 0, mentionSeq: 12, left: false, dissolved: false },
  asking: [{ user: "Amara.N", text: "Hi, I do the translations", timeMs: 0 }],
};

export const SCRIPTS: Script[] = [
  {
    user: TEAM,
    unread: 3,
    group,
    lines: [
      [3 * DAY, true, "", { event: { created: "Release team" } }],
      [3 * DAY - 1, true, "", { event: { joined: { users: ["Maya.Okafor", "chen.yu", "Elena.Petrova", "Priya", "jonas"] } } }],
      [3 * DAY - 4, true, "Welcome! Let's keep everything about the release here."],
      [3 * DAY - 6, false, "The list of what is left: https://wiki.example.org/release/left", { sender: "Maya.Okafor" }],
      [3 * DAY - 7, false, "", { sender: "Maya.Okafor", event: { pinned: 4 } }],
      [DAY + 20, false, "Translations are in. Chinese needs one more pair of eyes", { sender: "Elena.Petrova" }],
      [DAY + 19, false, "我来看。今天晚上可以吗？", { sender: "chen.yu", reactions: [{ emoji: "🙏", count: 3, users: [ME] }] }],
      [DAY + 10, true, "", { event: { joined: { users: ["kenji", "tariq.h"] } } }],
      [95, true, "@Tariq could you run the long soak tonight?", { mentions: ["tariq.h"], replyToLine: 3 }],
      [92, false, "Started. It will be done by six in the morning", { sender: "tariq.h" }],
      [91, false, "Fingers crossed 🤞", { sender: "tariq.h" }],
      [24, false, "@lin.wei the migration is green on all three machines 🎉", { sender: "Maya.Okafor", mentions: [ME] }],
      [23, false, "Then only the notes are missing", { sender: "Priya" }],
      [22, false, "I'll write them on the train", { sender: "Priya", reactions: [{ emoji: "👍", count: 2, users: [] }] }],
    ],
  },
  {
    user: "Maya.Okafor",
    notRead: 1,
    lines: [
      [2 * DAY + 62, false, "Hey! Did you get home all right?"],
      [2 * DAY + 58, true, "Yes, just in time before the rain ☔"],
      [2 * DAY + 57, true, "Thanks again for dinner. The dumplings were unreal"],
      [2 * DAY + 55, false, "😄", { reactions: [{ emoji: "❤️", count: 1, users: ["lin.wei"] }] }],
      [2 * DAY + 54, false, "My grandmother's recipe. I'll send it to you, but you have to promise to actually make them and not just keep it in a folder."],
      [DAY + 300, false, "", { type: "image" }],
      [DAY + 299, false, "From the ridge this morning. The whole valley was under cloud"],
      [DAY + 290, true, "Wow. That's the view you meant?", { replyToLine: 5 }],
      [DAY + 288, false, "That's the one! The path starts behind the station, about two hours up if you don't stop for photos. I always stop for photos."],
      [DAY + 285, true, "Let's go the weekend after next then. I'll bring the coffee", { reactions: [{ emoji: "👍", count: 1, users: ["Maya.Okafor"] }, { emoji: "☕", count: 2, users: ["Maya.Okafor", "lin.wei"] }] }],
      [190, false, "So about the release: are we still on for Thursday?"],
      [188, true, "I think so. Two things are left:\n1. the migration, which I'm finishing now\n2. `retry_ms_max` needs a sane default"],
      [186, false, "For the second one I'd go with what we measured:\n```toml\n[gate]\nretry_ms_max = 30_000   # p99 of reconnects\njitter = 0.5\n```\nAnything above 30 s felt broken to people."],
      [184, true, "Agreed, that's a good argument. Full notes are here: https://wiki.example.org/release/2026-11 (see “Timeouts”)", { edited: true }],
      [41, false, "Read them on the train. One question: what happens when somebody closes the laptop in the middle of sending?", {}],
      [38, true, "It stays in the outbox and goes out on the next connection. Once, not twice", { replyToLine: 14 }],
      [36, false, "Perfect 👌", { reactions: [{ emoji: "🎉", count: 1, users: ["lin.wei"] }] }],
      [9, false, "Then I'll tell the others it's a go"],
      [8, false, "🚀🚀"],
      [3, true, "Do it! I'll be around until six if anything comes up"],
    ],
  },
  {
    user: "chen.yu",
    unread: 3,
    lines: [
      [DAY + 400, true, "老师，您的书我看完了，什么时候还给您？"],
      [DAY + 380, false, "不急，你先留着。下周三的讲座你来吗？"],
      [DAY + 377, true, "来！几点开始？"],
      [DAY + 370, false, "下午两点，图书馆三楼。"],
      [72, true, "好的，我会早点到。"],
      [33, false, "对了，讲座换到报告厅了，就在图书馆对面。"],
      [32, false, "“鸿雁长飞光不度，鱼龙潜跃水成文。” 这次正好讲到这一句 😊"],
      [31, false, "记得带上那本书，可能会用到第 42 页的插图。"],
    ],
  },
  {
    user: "ops-alerts",
    unread: 12,
    lines: Array.from({ length: 90 }, (_, index): Line => [
      (90 - index) * 47,
      false,
      index % 7 === 3 ? `disk on node-${index % 5} is at ${70 + (index % 25)} %` : index % 11 === 5 ? "deploy of `gate` finished in 42 s" : `p99 latency ${18 + ((index * 7) % 30)} ms, nothing to do`,
    ]),
  },
  {
    user: "Sofia_Lindqvist",
    lines: [
      [5 * DAY, false, "Could you look at the contract when you have a minute?"],
      [5 * DAY - 2, false, "", { type: "file" }],
      [210, true, "Signed and sent back. Page 4 had a typo in our address, I corrected it."],
      [204, false, "You're the best, thank you!", { reactions: [{ emoji: "🙏", count: 1, users: ["lin.wei"] }] }],
    ],
  },
  { user: "tariq.h", unread: 1, lines: [[2 * DAY, true, "Are we meeting at the usual place?"], [245, false, "نعم، في المقهى القديم الساعة السابعة. سأحجز لنا الطاولة بجانب النافذة."]] },
  { user: "jonas", notRead: 1, notDelivered: 1, lines: [[DAY + 40, false, "I'm on the plane for the next eleven hours 🛫"], [290, true, "Have a good flight! Write when you land"]] },
  { user: "Priya", lines: [[DAY + 200, false, "Voice is easier, one second"], [DAY + 199, false, "", { type: "voice" }], [DAY + 150, true, "Ha, yes. Exactly that."]] },
  { user: "book-club", lines: [[DAY + 900, false, "Next one is “The Left Hand of Darkness”, first three chapters by Sunday."]] },
  { user: "old.account", blocked: true, lines: [[3 * DAY, false, "You have won!!! Click http://prize.example to claim"]] },
  { user: "Elena.Petrova", notRead: 1, lines: [[3 * DAY + 50, false, "Здравствуйте! Документы готовы, можно забирать."], [3 * DAY, true, "Отлично, спасибо!"]] },
  { user: "landlord", lines: [[4 * DAY, false, "The heating will be serviced on Tuesday between 8 and 12. Somebody needs to be at home."], [4 * DAY - 30, true, "Tuesday works, I'll be there."]] },
  { user: "kenji", lines: [[6 * DAY, false, "", { recalled: true }], [6 * DAY - 5, false, "Wrong chat, sorry 😅"]] },
  { user: "dad", lines: [[8 * DAY, false, "Call your mother."]] },
  { user: "Amara.N", lines: [[12 * DAY, true, "See you in Lisbon!"]] },
  { user: "library", lines: [[40 * DAY, false, "Your loan is due in 3 days."]] },
];

/** What people answer in demo mode. */
export const ANSWERS = [
  "Sounds good to me!",
  "Let me check and come back to you in a bit.",
  "Ha, I was just about to write the same thing 😄",
  "Sure. Tomorrow morning?",
  "Nice. Could you send me the link again?",
  "👍",
];

/** A very long conversation, made up as it is read. */
export const ARCHIVE = { user: "archive", count: 100_000 };

const WORDS = "the river turned grey before dawn and somebody had left a lamp burning in the window above the mill where letters used to wait for spring".split(" ");

export function archived(seq: number, now: number): Message {
  const own = (seq * 2654435761) % 5 < 2;
  const length = ((seq * 40503) % 37) + 2;
  const text = Array.from({ length }, (_, index) => WORDS[(seq * 7 + index * 13) % WORDS.length]).join(" ");
  return {
    user: ARCHIVE.user,
    seq,
    own,
    type: seq % 97 === 0 ? "image" : "text",
    text: `${seq}. ${text}`,
    body: new Uint8Array(),
    time: now - (ARCHIVE.count - seq + 60) * 4 * 60_000 - 20 * DAY * 60_000,
    edited: seq % 41 === 0,
    recalled: seq % 211 === 0,
    reactions: seq % 29 === 0 ? [{ emoji: "👍", count: 1, users: [own ? ARCHIVE.user : ME] }] : [],
    ...(own ? { state: "read" as const } : {}),
  };
}

/** Every word of the page, in English and Chinese; and which of the two is spoken. */

import { recall, remember } from "./memory";

const en = {
  language: "English",
  other: "中文",
  title: "Hongyan room",
  lead: "Choose a name and say hello. No account; when you leave, the name is free again.",
  name: "Your name",
  nameRule: "1 to 16 characters, nobody else's",
  enter: "Enter",
  entering: "One moment…",
  taken: (name: string) => `“${name}” is in the room already. Choose another name.`,
  badName: "This name cannot be seen, or turns the text around it. Choose another one.",
  full: "The room is full. Try again later.",
  noRoom: (room: string) => `There is no room “${room}” on this server.`,
  away: "The server cannot be reached. It is tried again by itself.",
  ended: "The session has ended. Enter again.",
  refused: (text: string) => `The server refuses: ${text}`,
  people: (count: number) => (count === 1 ? "1 person" : `${count} people`),
  you: "you",
  entered: (name: string) => `${name} has come in`,
  left: (name: string) => `${name} has left`,
  log: "What was said",
  earlier: "Earlier messages",
  beginning: "The beginning of the room",
  nothing: "Nobody has said anything yet.",
  message: "Message",
  say: "Say it",
  counter: (used: number, most: number) => `${used} of ${most} characters`,
  sending: "on its way",
  failed: (why: string) => `not said: ${why}`,
  again: "Try again",
  newest: "Newest",
  leave: "Leave",
  transport: "Transport",
  websocket: "WebSocket",
  poll: "Long poll",
  overWebsocket: "Connected by WebSocket",
  overPoll: "Connected by long poll",
  broken: "The connection is lost. You are back as soon as it stands again.",
  connecting: "Connecting…",
};

const zh: typeof en = {
  language: "中文",
  other: "English",
  title: "鸿雁聊天室",
  lead: "取个名字，进来打个招呼。无需注册；离开后名字即被释放。",
  name: "你的名字",
  nameRule: "1 到 16 个字符，不能与他人重复",
  enter: "进入",
  entering: "请稍候…",
  taken: (name) => `“${name}”已经在聊天室里了，换个名字吧。`,
  badName: "这个名字看不见，或会扰乱周围的文字，换一个吧。",
  full: "聊天室已满，请稍后再试。",
  noRoom: (room) => `这台服务器上没有聊天室“${room}”。`,
  away: "无法连接服务器，正在自动重试。",
  ended: "会话已结束，请重新进入。",
  refused: (text) => `服务器拒绝了请求：${text}`,
  people: (count) => `${count} 人在线`,
  you: "我",
  entered: (name) => `${name} 进来了`,
  left: (name) => `${name} 离开了`,
  log: "聊天记录",
  earlier: "更早的消息",
  beginning: "聊天室从这里开始",
  nothing: "还没有人说话。",
  message: "消息",
  say: "发送",
  counter: (used, most) => `已输入 ${used} 个字符，最多 ${most} 个`,
  sending: "发送中",
  failed: (why) => `未发出：${why}`,
  again: "重试",
  newest: "最新消息",
  leave: "离开",
  transport: "连接方式",
  websocket: "WebSocket",
  poll: "长轮询",
  overWebsocket: "已通过 WebSocket 连接",
  overPoll: "已通过长轮询连接",
  broken: "连接已断开，恢复后会自动回到聊天室。",
  connecting: "正在连接…",
};

export type Language = "en" | "zh";
const KEY = "hongyan.demo.language";

export function chosen(): Language {
  const kept = recall("localStorage", KEY);
  if (kept === "en" || kept === "zh") return kept;
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

/** The page is read anew in the other language; who is in the room stays there. */
export function speakOther(): void {
  remember("localStorage", KEY, chosen() === "en" ? "zh" : "en");
  location.reload();
}

export const languages = { en, zh };
export const words = languages[chosen()];
document.documentElement.lang = chosen();
document.title = words.title;

/** Every word of the widget in both languages. What a shop says itself (title, greeting) is in its own settings. */

const en = {
  open: (title: string, unread: number) => `Chat with ${title}${unread > 0 ? (unread === 1 ? ", 1 new message" : `, ${unread} new messages`) : ""}`,
  close: "Close the chat",
  subtitle: "Write to us; we answer here.",
  greeting: "Hello! How can we help you?",
  messages: "Messages",
  compose: "Write a message…",
  send: "Send",
  you: "You",
  latest: "New messages",
  typing: (title: string) => `${title} is typing`,
  sending: "Sending",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
  failed: "Not sent.",
  retry: "Try again",
  recalled: "This message was recalled",
  edited: "edited",
  unknown: "This message cannot be shown here",
  tooLong: (excess: number) => `Too long by ${excess}`,
  connecting: "Connecting…",
  broken: "No connection. Trying again…",
  offline: "You are offline. What you write is sent later.",
  ended: "This conversation has ended. Write to begin a new one.",
  today: "Today",
  yesterday: "Yesterday",
};

export type Words = typeof en;

const zh: Words = {
  open: (title, unread) => `与${title}聊天${unread > 0 ? `，${unread} 条新消息` : ""}`,
  close: "关闭聊天",
  subtitle: "给我们留言，我们会在这里回复。",
  greeting: "您好！有什么可以帮您？",
  messages: "消息",
  compose: "输入消息…",
  send: "发送",
  you: "您",
  latest: "新消息",
  typing: (title) => `${title}正在输入`,
  sending: "发送中",
  sent: "已发送",
  delivered: "已送达",
  read: "已读",
  failed: "未发送。",
  retry: "重试",
  recalled: "此消息已撤回",
  edited: "已编辑",
  unknown: "此处无法显示这条消息",
  tooLong: (excess) => `超出 ${excess}`,
  connecting: "正在连接…",
  broken: "连接已断开，正在重试…",
  offline: "您已离线，消息将稍后发送。",
  ended: "此对话已结束，发送消息即可开始新对话。",
  today: "今天",
  yesterday: "昨天",
};

export type Language = "en" | "zh";

export const WORDS: Record<Language, Words> = { en, zh };

export const languageOf = (...tags: readonly (string | undefined)[]): Language => {
  const known = tags.find((tag) => tag && /^(en|zh)\b/i.test(tag));
  return known && /^zh/i.test(known) ? "zh" : "en";
};

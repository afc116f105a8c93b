/**
 * What reaches a person who looks elsewhere: the number in the title, a sound, a desktop notification. Whether to disturb
 * at all is the SDK's decision (`notify`); permission is asked for only where somebody clicks.
 */
import type { Message } from "@hongyan/sdk";
import type { Words } from "../words/en.js";
import type { Chat } from "./chat.js";
import { called, isGroup, titleOf } from "./names.js";
import { prefs, setPref } from "./prefs.js";
import { go } from "./route.js";
import { preview } from "./preview.js";

export const canNotify = (): boolean => "Notification" in globalThis;

/** Asks the browser; call it on a click only. */
export async function allowNotifications(on: boolean): Promise<boolean> {
  const granted = on && canNotify() && (await Notification.requestPermission()) === "granted";
  setPref("notifications", granted);
  return granted === on;
}

export function followNotices(chat: Chat, words: () => Words): () => void {
  const title = () => {
    const unread = chat.conversations.get().reduce((sum, { unread, blocked }) => sum + (blocked ? 0 : unread), 0);
    document.title = unread > 0 ? `(${unread > 999 ? "999+" : unread}) ${words().name}` : words().name;
  };
  title();
  const offs = [
    chat.conversations.subscribe(title),
    chat.client.on("notify", (message) => {
      if (prefs.get().sound) chime();
      if (prefs.get().notifications) show(message, titleOf(chat.conversation(message.user) ?? message, words()), words());
    }),
  ];
  return () => {
    for (const off of offs) off();
    document.title = words().name;
  };
}

function show(message: Message, title: string, words: Words): void {
  if (!canNotify() || Notification.permission !== "granted") return;
  try {
    const text = preview(message, words);
    const body = isGroup(message.user) ? `${called(message.sender ?? "", words)}: ${text}` : text;
    const notice = new Notification(title, { body, tag: message.user, silent: true });
    notice.onclick = () => {
      window.focus();
      go(message.user);
      notice.close();
    };
  } catch {
    // Android has the constructor but refuses it outside of a service worker; the sound has told.
  }
}

let audio: AudioContext | undefined;

/** Two soft notes, made here: the policy of the page loads no media, and a file would be larger. */
function chime(): void {
  try {
    audio ??= new AudioContext();
    if (audio.state === "suspended") void audio.resume();
    const begin = audio.currentTime;
    for (const [index, pitch] of [659.26, 987.77].entries()) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      const at = begin + index * 0.09;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0, at);
      volume.gain.linearRampToValueAtTime(0.11, at + 0.012);
      volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.34);
      tone.connect(volume).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.36);
    }
  } catch {
    // No audio device, or the browser wants a click first: silence is right.
  }
}

/** Lets a view follow a signal of the model. */
import { createContext, useContext, useSyncExternalStore } from "react";
import type { Chat } from "../model/chat.js";
import type { Readable } from "../model/signal.js";

export const useSignal = <T>(signal: Readable<T>): T => useSyncExternalStore(signal.subscribe, signal.get, signal.get);

export const ChatContext = createContext<Chat | undefined>(undefined);

export function useChat(): Chat {
  const chat = useContext(ChatContext);
  if (!chat) throw new Error("this view stands inside of a signed-in chat");
  return chat;
}

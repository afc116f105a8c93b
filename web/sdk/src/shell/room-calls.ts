/** The calls about rooms, in the leading tab (see `calls.ts`). */

import type { RoomPage } from "../api";
import { refusalOf, refuse } from "../core/refusal";
import { type HistoryAnswer, RefusalCode, type SendAnswer } from "../wire/proto";
import type { Engine } from "./engine";
import { roomMessageOf } from "./view";

const PAGE_MAX = 100;

export function callsOfRooms(engine: Engine) {
  return {
    /** `seq`: the newest entry that this tab was told of, if another tab has led it before. */
    async enterRoom(room: string, name: string, seq: number | undefined): Promise<void> {
      const { link } = engine.core;
      if (link.is("idle") || link.is("stopped")) {
        throw refusalOf(refuse(RefusalCode.UNAUTHENTICATED, "sign in first"));
      }
      await engine.askRooms((rooms, token) => rooms.enter(token, room, name, seq));
    },

    leaveRoom: (room: string) => engine.askRooms<void>((rooms, token) => rooms.leave(token, room)),

    async sayInRoom(room: string, text: string, clientMessageId: Uint8Array): Promise<{ seq: number; time: number }> {
      const task = { kind: "say", clientMessageId, text } as const;
      const { seq, serverTimeMs } = await engine.askRooms<SendAnswer>((rooms, token) => rooms.add(room, { ...task, token }));
      return { seq, time: serverTimeMs };
    },

    async roomHistory(room: string, beforeSeq: number, limit = 50): Promise<RoomPage> {
      const task = { kind: "older", beforeSeq, limit: Math.min(Math.max(limit, 1), PAGE_MAX) } as const;
      const answer = await engine.askRooms<HistoryAnswer>((rooms, token) => rooms.add(room, { ...task, token }));
      const { entries, coveredFrom, lowSeq } = answer;
      return { messages: entries.map(roomMessageOf), from: coveredFrom || beforeSeq, low: coveredFrom ? Math.max(lowSeq, 1) : beforeSeq };
    },
  };
}

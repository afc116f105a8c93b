/**
 * A room as an application holds it in one tab. It hears what the leading tab tells of the room, and enters again when
 * another tab begins to lead.
 */

import type { Client, Room, RoomEvents, RoomNews, RoomPage, RoomState } from "./api";
import { Emitter } from "./emitter";
import type { Seat } from "./shell/seat";

const OUT: RoomState = { state: "out" };

export class TabRoom extends Emitter<RoomEvents> implements Room {
  state = OUT;
  names: readonly string[] = [];
  charactersMax = 0;
  /** The application wants to be in. */
  private wanted = false;
  /** The newest message that was told here; absent before it was entered. */
  private seq: number | undefined;

  constructor(
    readonly room: string,
    readonly name: string,
    private readonly tabs: () => Seat,
    private readonly id: () => Uint8Array,
    client: Pick<Client, "on">,
  ) {
    super();
    client.on("room", (news) => news.room === room && this.heard(news));
  }

  private heard(news: RoomNews): void {
    if (!this.wanted || news.name !== this.name) return;
    if (news.charactersMax) this.charactersMax = news.charactersMax;
    if (news.seq !== undefined) this.continuedAt(news.seq, !!news.reset);
    if (news.state && JSON.stringify(news.state) !== JSON.stringify(this.state)) this.moved(news.state);
    if (news.names) this.emit("names", [...(this.names = news.names)]);
    const entries = news.entries?.filter(({ seq }) => seq > (this.seq ?? 0));
    if (!entries?.length) return;
    this.seq = entries.at(-1)!.seq;
    this.emit("entries", entries);
  }

  private moved(state: RoomState): void {
    this.state = state;
    if (state.state === "out") this.wanted = false;
    this.emit("state", state);
  }

  /** The leading tab has told everything up to here. */
  private continuedAt(seq: number, reset: boolean): void {
    const missed = reset || (this.seq !== undefined && seq > this.seq);
    if (missed || this.seq === undefined) this.seq = seq;
    if (missed) this.emit("reset", undefined);
  }

  /** Another tab leads, or the same one has said so again. */
  led(): void {
    if (this.wanted) void this.tabs().call("enterRoom", this.room, this.name, this.seq).catch(() => undefined);
  }

  async enter(): Promise<void> {
    if (this.wanted) return;
    this.wanted = true;
    this.seq = undefined;
    try {
      await this.tabs().call("enterRoom", this.room, this.name, undefined);
    } catch (error) {
      this.wanted = false;
      throw error;
    }
  }

  say = (text: string) => this.tabs().call("sayInRoom", this.room, text, this.id());

  history({ before, limit }: { before?: number; limit?: number } = {}): Promise<RoomPage> {
    return this.tabs().call("roomHistory", this.room, before ?? (this.seq ?? 0) + 1, limit);
  }

  leave = () => this.tabs().call("leaveRoom", this.room);
}

/** A chat room for visitors: the door, the room, and back to the door. `?room=` names it, `?transport=poll` does without WebSocket. */

import { type Client, createVisitorClient, type Room } from "@hongyan/sdk/visitor";
import { Door, reasonOf } from "./door";
import { findSeat, keepSeat, keptSeat, type Seat } from "./seat";
import { Screen } from "./screen";
import { transport } from "./transport";
import { words } from "./words";

const APP = "default";
/** What this application calls itself at the server. */
const CLIENT = "Hongyan room 0.1.0";
const ROOM = new URLSearchParams(location.search).get("room") || "lobby";

const page = document.getElementById("page")!;

class Visit {
  constructor(
    private readonly client: Client,
    private readonly seat: Seat,
  ) {}

  /** The door; whoever was inside before the page was read anew goes straight in. */
  door(fault = ""): Door {
    const door = new Door(ROOM, this.seat.name, (name) => this.enter(name));
    page.replaceChildren(door.root);
    door.say(fault);
    door.focus();
    return door;
  }

  async enter(name: string): Promise<void> {
    await this.client.signIn({ visitor: { page: location.href, referrer: document.referrer } });
    const room = this.client.room(ROOM, name);
    const screen = new Screen(room, transport, () => void room.leave());
    const told = () => screen.connected(this.client.link, room.state);
    const unlink = this.client.on("link", told);
    room.on("state", (state) => {
      if (state.state !== "out") return told();
      unlink();
      if (page.contains(screen.root)) this.out(room);
    });
    await room.enter();
    this.seat.name = name;
    keepSeat(this.seat);
    page.replaceChildren(screen.root);
    told();
    await screen.begin();
  }

  private out({ state, name }: Room): void {
    const { reason } = this.client.link;
    const why = state.refusal ?? (this.client.link.state === "stopped" ? (reason?.kind === "refused" ? reason.refusal : reason) : undefined);
    const door = this.door(why ? reasonOf(why, ROOM, name) : "");
    keepSeat({ ...this.seat, name: "" });
    door.focus();
  }
}

const seat = await findSeat(navigator.locks as LockManager | undefined, keptSeat());
const client = createVisitorClient({ app: APP, client: CLIENT, profile: seat.profile, ...(transport === "poll" ? { transport } : {}) });
const visit = new Visit(client, seat);
const door = visit.door();
client.on("link", ({ state }) => state === "broken" && door.say(words.away));
if (seat.name) void door.knock();

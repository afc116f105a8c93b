/** What a visitor does in the room's page and sees of it. Everything goes through the page, as it would by hand. */
import type { BrowserContext, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { PATIENCE_MS } from "./chromium";

export type Transport = "websocket" | "poll";

export class Guest {
  private constructor(
    readonly name: string,
    readonly page: Page,
  ) {}

  /** Stands at the door with a name written down. */
  static async knock(context: BrowserContext, origin: string, name: string, transport: Transport = "websocket", room = "lobby"): Promise<Guest> {
    const page = await context.newPage();
    await page.goto(`${origin}/demo/room?room=${room}${transport === "poll" ? "&transport=poll" : ""}`);
    await page.locator("input[name=name]").fill(name);
    await page.locator("form button[type=submit]").click();
    return new Guest(name, page);
  }

  static async enter(context: BrowserContext, origin: string, name: string, transport: Transport = "websocket", room = "lobby"): Promise<Guest> {
    const guest = await Guest.knock(context, origin, name, transport, room);
    // On a busy machine a WebSocket may be too late, and polls come first: that is as it should be.
    await guest.isIn(transport === "poll" ? "poll" : "either");
    return guest;
  }

  async isIn(transport: Transport | "either"): Promise<void> {
    const words = { poll: "by long poll", websocket: "by WebSocket", either: /by (WebSocket|long poll)/ };
    await this.page.locator(".line", { hasText: words[transport] }).waitFor();
  }

  get field(): Locator {
    return this.page.locator(".composer textarea");
  }

  get fault(): Locator {
    return this.page.locator(".fault");
  }

  async say(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  async leave(): Promise<void> {
    await this.page.getByRole("button", { name: "Leave" }).click();
    await this.page.locator("input[name=name]").waitFor();
  }

  /** Everybody who is there, oneself first. */
  async seesNames(...names: string[]): Promise<void> {
    await expect.poll(() => this.page.locator(".people .name").allTextContents(), { timeout: PATIENCE_MS }).toEqual(names);
  }

  /** Everything that was said, each once and in this order, and nothing that waits. */
  async seesOnly(texts: readonly string[]): Promise<void> {
    await expect.poll(() => this.page.locator(".rows .text").allTextContents(), { timeout: PATIENCE_MS }).toEqual(texts);
  }

  async sees(text: string): Promise<void> {
    await this.page.locator(".rows:not(.waiting) .text").getByText(text, { exact: true }).waitFor();
  }
}

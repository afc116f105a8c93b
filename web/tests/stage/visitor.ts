/** Somebody without an account on a shop's page: what they do in the widget and see of it. */
import type { BrowserContext, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { PATIENCE_MS } from "./chromium";

export class Visitor {
  private constructor(readonly page: Page) {}

  /** Comes to a page of the shop; nothing is said or opened yet. */
  static async comes(context: BrowserContext, shop: string): Promise<Visitor> {
    const page = await context.newPage();
    await page.goto(shop);
    const visitor = new Visitor(page);
    await visitor.launcher.waitFor();
    return visitor;
  }

  get widget(): Locator {
    return this.page.locator("hongyan-chat");
  }

  get launcher(): Locator {
    return this.widget.locator(".launcher");
  }

  get field(): Locator {
    return this.widget.locator("textarea");
  }

  async opens(): Promise<void> {
    await this.launcher.click();
    await this.widget.getByRole("dialog").waitFor();
  }

  async says(text: string): Promise<void> {
    await this.field.fill(text);
    // On a phone Enter begins a line.
    await this.widget.locator(".send").click();
  }

  /** These are all messages, each once and in this order; the greeting is none. */
  async seesOnly(texts: string[]): Promise<void> {
    const bubbles = this.widget.locator(".row:not(:first-child) .bubble:not(.dots)");
    await expect.poll(() => bubbles.allTextContents(), { timeout: PATIENCE_MS }).toEqual(texts);
  }

  /** In one language or the other. */
  async seesTick(...names: string[]): Promise<void> {
    await this.widget.locator(names.map((name) => `.row.own:last-child .icon[aria-label="${name}"]`).join()).waitFor();
  }
}

/** The browser as a test file has it, and what is strange in it: a page that throws or breaks its policy fails the test. */
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { inject } from "vitest";

export const WIDE = { width: 1100, height: 800 };
export const PHONE = { width: 390, height: 844 };
/** Long enough for a machine that does much else. */
export const PATIENCE_MS = 60_000;

export class Chromium {
  private browser: Browser | undefined;
  /** What pages have thrown or complained of, but for what a test has asked for. */
  readonly faults: string[] = [];

  async start(): Promise<void> {
    this.browser = await chromium.connect(inject("browser"), { timeout: PATIENCE_MS });
  }

  /** Every context of this file ends; the process goes on for the others. */
  async stop(): Promise<void> {
    await this.browser?.close();
  }

  /** A browser of its own, as far as a site can tell. */
  async visitor(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const context = await this.browser!.newContext({ viewport: WIDE, locale: "en-GB", reducedMotion: "reduce", colorScheme: "light", ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    context.on("page", (page) => this.watch(page));
    return context;
  }

  private watch(page: Page): void {
    page.on("pageerror", (error) => this.faults.push(error.stack ?? error.message));
    page.on("console", (message) => {
      if (/content security policy|error in react|warning:/i.test(message.text())) this.faults.push(message.text());
    });
  }
}

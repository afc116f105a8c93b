/** What a person does in the chat and sees of it. Everything goes through the page, as it would by hand. */
import type { BrowserContext, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { PATIENCE_MS } from "./chromium";
import { PASSWORD } from "./server";

export type Tick = "Sending" | "Sent" | "Delivered" | "Read";

export class Person {
  private constructor(
    readonly name: string,
    readonly page: Page,
  ) {}

  /** Opens the chat and creates an account. */
  static async signUp(context: BrowserContext, origin: string, name: string): Promise<Person> {
    const page = await context.newPage();
    await page.goto(origin);
    await page.getByRole("button", { name: "Create account" }).click();
    return Person.enter(page, name);
  }

  static async signIn(context: BrowserContext, origin: string, name: string): Promise<Person> {
    const page = await context.newPage();
    await page.goto(origin);
    return Person.enter(page, name);
  }

  private static async enter(page: Page, name: string): Promise<Person> {
    await page.locator("input[name=user]").fill(name);
    await page.locator("input[name=password]").fill(PASSWORD);
    await page.locator("form button[type=submit]").click();
    const person = new Person(name, page);
    await person.isIn();
    return person;
  }

  /** Another tab of the same browser, signed in already. */
  async tab(): Promise<Person> {
    const page = await this.page.context().newPage();
    await page.goto(this.page.url());
    const person = new Person(this.name, page);
    await person.isIn();
    return person;
  }

  async isIn(): Promise<void> {
    await this.page.locator(".sidebar").waitFor();
  }

  /** Goes to a conversation by its name, whether it exists or not. */
  async open(user: string): Promise<void> {
    await this.page.locator(".search input").fill(user);
    await this.page.locator(".search input").press("Enter");
    await this.page.locator(".pane-head h2", { hasText: user }).waitFor();
    await this.page.locator(".messages:not([aria-busy])").waitFor();
  }

  get field(): Locator {
    return this.page.locator(".composer textarea");
  }

  async write(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  /** The message of this text in the open conversation. */
  message(text: string): Locator {
    return this.page.locator(".message", { has: this.page.locator(".body").getByText(text, { exact: true }) });
  }

  async sees(text: string): Promise<void> {
    await this.message(text).waitFor();
  }

  /** These are all messages of the conversation, each once and in this order. */
  async seesOnly(texts: string[]): Promise<void> {
    await expect.poll(() => this.texts(), { timeout: PATIENCE_MS }).toEqual(texts);
  }

  async seesTick(text: string, tick: Tick): Promise<void> {
    await this.message(text).locator(`.ticks[aria-label=${tick}]`).waitFor();
  }

  /** Opens the menu of a message and chooses from it. */
  async choose(text: string, item: string): Promise<void> {
    await this.message(text).locator(".bubble").click({ button: "right" });
    await this.page.getByRole("menuitem", { name: item, exact: true }).click();
  }

  /** The texts of all messages in the order of the page. The window must be high enough to hold them. */
  async texts(): Promise<string[]> {
    return this.page.locator(".messages-row").evaluateAll((rows) =>
      rows
        .map((row) => ({ at: Number((row as HTMLElement).dataset["index"]), text: row.querySelector(".body")?.textContent ?? "" }))
        .sort((a, b) => a.at - b.at)
        .map(({ text }) => text),
    );
  }
}

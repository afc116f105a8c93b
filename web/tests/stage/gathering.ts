/** What a person does in the chat with a group and sees of it. Everything goes through the page, as it would by hand. */
import type { Locator } from "playwright-core";
import { expect } from "vitest";
import { PATIENCE_MS } from "./chromium";
import type { Person } from "./person";

export class Gathering {
  constructor(
    readonly person: Person,
    readonly title: string,
  ) {}

  private get page(): Person["page"] {
    return this.person.page;
  }

  /** Makes the group with these people, and stands in it. */
  static async create(person: Person, title: string, people: readonly string[]): Promise<Gathering> {
    const { page } = person;
    await page.getByRole("button", { name: "New group" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.locator("input[name=title]").fill(title);
    for (const name of people) await dialog.getByLabel("People").pressSequentially(`${name} `);
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.waitFor({ state: "detached" });
    const gathering = new Gathering(person, title);
    await gathering.isOpen();
    return gathering;
  }

  /** Finds the group in the list and goes there. */
  static async find(person: Person, title: string): Promise<Gathering> {
    const gathering = new Gathering(person, title);
    await gathering.row.waitFor();
    await person.open(title);
    return gathering;
  }

  get row(): Locator {
    return this.page.locator(".conversation", { hasText: this.title });
  }

  get panel(): Locator {
    return this.page.locator(".drawer");
  }

  async isOpen(): Promise<void> {
    await this.page.locator(".pane-head h2", { hasText: this.title }).waitFor();
    await this.page.locator(".messages:not([aria-busy])").waitFor();
  }

  async opensPanel(): Promise<void> {
    await this.page.getByRole("button", { name: "Group information" }).click();
    await this.panel.locator(".member").first().waitFor();
  }

  async closesPanel(): Promise<void> {
    await this.panel.getByRole("button", { name: "Close" }).click();
    await this.panel.waitFor({ state: "detached" });
  }

  member(name: string): Locator {
    return this.panel.locator(".members .member", { hasText: name });
  }

  /** Opens the menu of a member and chooses from it; the panel is open. */
  async chooses(name: string, item: string, answer?: string): Promise<void> {
    await this.page.getByRole("button", { name: `Actions for ${name}`, exact: true }).click();
    await this.page.getByRole("menuitem", { name: item, exact: true }).click();
    if (answer !== undefined) await this.page.getByRole("alertdialog").getByRole("button", { name: answer, exact: true }).click();
  }

  /** What has happened, as a line among the messages. */
  async seesEvent(text: string): Promise<void> {
    await this.page.locator(".message-event", { hasText: text }).first().waitFor();
  }

  /** Who wrote this, as it stands above the run. */
  async seesSender(text: string, name: string): Promise<void> {
    await this.person.message(text).locator(".sender", { hasText: name }).waitFor();
  }

  /** The texts of all messages, without what has happened. */
  async seesOnly(texts: string[]): Promise<void> {
    await expect.poll(async () => (await this.person.texts()).filter(Boolean), { timeout: PATIENCE_MS }).toEqual(texts);
  }
}

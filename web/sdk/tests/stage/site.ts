/** A site that uses the SDK: clients in tabs of a browser, on the stage's network. */
import type { Client, Events, Options } from "../../src/api";
import { createClient } from "../../src/index";
import type { World } from "../../src/shell/world";
import { Browser, type Tab } from "./browser";
import { Net } from "./net";

export interface Page {
  tab: Tab;
  client: Client;
  /** Everything that was told. */
  told: { event: keyof Events; value: any }[];
}

const EVENTS = ["link", "signedIn", "conversation", "message", "gone", "typing", "reset", "caughtUp", "notify"] as const;

export class Site {
  readonly net = new Net();
  private readonly pages: Page[] = [];

  page(browser = new Browser(), more: Partial<World> = {}, options: Partial<Options> = {}): Page {
    const { world, die } = this.net.world();
    const tab = browser.tab({ ...world, ...more });
    tab.crashed = die;
    return this.add(tab, createClient({ server: "https://im.example/", app: "app", ...options }, tab.world));
  }

  /** Notes what this client tells, and closes it in the end. */
  add(tab: Tab, client: Client): Page {
    const page: Page = { tab, client, told: [] };
    for (const event of EVENTS) client.on(event, (value) => void page.told.push({ event, value }));
    this.pages.push(page);
    return page;
  }

  async signedIn(name: string, browser = new Browser(), more: Partial<World> = {}): Promise<Page> {
    const page = this.page(browser, more);
    await page.client.signIn({ token: name });
    return page;
  }

  close(): void {
    for (const { tab, client } of this.pages) if (!tab.isDead) client.close();
  }
}

/** What a page was told of one event. */
export function of<K extends keyof Events>(page: Page, event: K): Events[K][] {
  return page.told.flatMap((one) => (one.event === event ? [one.value as Events[K]] : []));
}

/** Waits until it holds; the test's own time limit ends it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}

export async function texts(page: Page, user: string): Promise<string[]> {
  const { messages } = await page.client.history(user);
  return messages.map((message) => message.text);
}

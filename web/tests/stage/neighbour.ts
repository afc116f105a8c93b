/** Sites beside the chat, on whatever sub-domain of localhost: one page that uses the SDK's bridge, and what is done in it. */
import { createServer, type Server as Listener } from "node:http";
import { fileURLToPath } from "node:url";
import type { Client, Credential } from "@hongyan/sdk";
import type { BridgeOptions, createBridgedClient } from "@hongyan/sdk/bridge";
import type { BrowserContext, Frame, Page } from "playwright-core";
import { build, type Rolldown } from "vite";

const PAGE = `<!doctype html><html lang="en"><title>A neighbour</title><script type="module">
import * as sdk from "/sdk.js";
window.sdk = sdk;
</script><p>A site beside the chat.</p></html>`;

/** What is in the window of such a page. */
export interface Neighbouring {
  sdk: { createBridgedClient: typeof createBridgedClient };
  client: Client;
  heard: string[];
}

export class Neighbours {
  private constructor(
    private readonly listener: Listener,
    private readonly port: number,
  ) {}

  static async start(): Promise<Neighbours> {
    const entry = fileURLToPath(import.meta.resolve("@hongyan/sdk/bridge"));
    const built = (await build({ logLevel: "error", configFile: false, build: { write: false, lib: { entry, formats: ["es"] } } })) as Rolldown.RolldownOutput[];
    const { code } = built[0]!.output[0];
    const listener = createServer(({ url }, response) => {
      const script = url === "/sdk.js";
      response.setHeader("content-type", script ? "text/javascript" : "text/html; charset=utf-8");
      response.end(script ? code : PAGE);
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const address = listener.address();
    if (address === null || typeof address === "string") throw new Error("the neighbours have no port");
    return new Neighbours(listener, address.port);
  }

  origin(host: string): string {
    return `http://${host}:${this.port}`;
  }

  async stop(): Promise<void> {
    this.listener.closeAllConnections();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}

/** A tab of a neighbour, and what is done there by its script. */
export class Neighbour {
  private constructor(
    readonly page: Page,
    private readonly place: Frame,
    private readonly options: BridgeOptions,
  ) {}

  /** Opens the page and makes a client there, which frames the bridge. */
  static async open(context: BrowserContext, origin: string, options: BridgeOptions): Promise<Neighbour> {
    const page = await context.newPage();
    await page.goto(origin);
    return Neighbour.inside(page.mainFrame(), options);
  }

  /** The same in whatever frame such a page stands. */
  static async inside(place: Frame, options: BridgeOptions): Promise<Neighbour> {
    await place.waitForFunction(() => "sdk" in window);
    await place.evaluate((options) => {
      const here = window as unknown as Neighbouring;
      here.heard = [];
      here.client = here.sdk.createBridgedClient(options);
      here.client.on("message", ({ text, seq }) => seq && here.heard.push(text));
    }, options);
    return new Neighbour(place.page(), place, options);
  }

  start(): Promise<boolean> {
    return this.place.evaluate(() => (window as unknown as Neighbouring).client.start());
  }

  signIn(credential: Credential): Promise<void> {
    return this.place.evaluate((credential) => (window as unknown as Neighbouring).client.signIn(credential), credential);
  }

  /** Waits for it, and calls nothing. */
  async isLive(): Promise<void> {
    await this.place.waitForFunction(() => (window as unknown as Neighbouring).client.link.state === "live");
  }

  /** In the outbox when this resolves. */
  async write(user: string, text: string): Promise<void> {
    await this.place.evaluate(([user, text]) => (window as unknown as Neighbouring).client.send(user, text), [user, text] as const);
  }

  async hears(text: string): Promise<void> {
    await this.place.waitForFunction((text) => (window as unknown as Neighbouring).heard.includes(text), text);
  }

  texts(user: string): Promise<string[]> {
    return this.place.evaluate(async (user) => (await (window as unknown as Neighbouring).client.history(user)).messages.map(({ text }) => text), user);
  }

  /** How a client that gets no way ends: the name of the error. */
  refusal(): Promise<string> {
    return this.place.evaluate(() => (window as unknown as Neighbouring).client.start().then(String, (error: Error) => error.name));
  }

  /** The frame of the chat's origin. */
  get bridge(): Frame {
    const frame = this.place.childFrames().find((frame) => frame.url().startsWith(`${this.options.server}/bridge?`));
    if (!frame) throw new Error("there is no bridge in this page");
    return frame;
  }
}

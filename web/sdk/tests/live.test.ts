/**
 * The SDK against the real server, over WebSocket and over polls. Needs target/debug/hongyan (or HONGYAN_BINARY): without
 * it nothing here runs, and that is said loudly.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Client, Events } from "../src/api";
import * as groups from "../src/groups";
import { createClient } from "../src/index";
import { Browser, type Tab } from "./stage/browser";
import { until } from "./stage/site";

const binary = process.env["HONGYAN_BINARY"] ?? fileURLToPath(new URL("../../../target/debug/hongyan", import.meta.url));
const isBuilt = existsSync(binary);
if (!isBuilt) console.error(`\n*** live.test.ts IS SKIPPED: there is no ${binary}; build it by \`cargo build -p hongyan-server\` ***\n`);

const PASSWORD = "correct horse battery staple";

class Server {
  readonly folder = mkdtempSync(join(tmpdir(), "hongyan-sdk-"));
  private child: ChildProcess | undefined;
  web = "127.0.0.1:0";

  constructor() {
    // Everybody here comes from one address.
    writeFileSync(join(this.folder, "hongyan.toml"), "[logic]\nsign_ups_per_address = { burst = 1000, per_minute = 1000 }\n");
  }

  async start(): Promise<void> {
    const ports = ["--web", this.web, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-file", "ready.json"];
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HONGYAN_")));
    const child = spawn(binary, ["serve", ...ports], { cwd: this.folder, env: { ...env, HONGYAN_LOG_FILTER: "warn" } });
    this.child = child;
    child.stderr.on("data", (data) => process.stderr.write(data));
    const line = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).once("line", resolve);
      child.once("exit", () => reject(new Error("the server did not start")));
    });
    expect(line).toContain("is ready");
    const ready = JSON.parse(readFileSync(join(this.folder, "ready.json"), "utf8")) as { web: string };
    this.web = ready.web.replace(/^http:\/\//, "").replace(/\/$/, "");
  }

  get origin(): string {
    return `http://${this.web}`;
  }

  async kill(): Promise<void> {
    const child = this.child!;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async signUp(user: string): Promise<void> {
    const body = JSON.stringify({ app: "default", user, password: PASSWORD });
    const response = await fetch(`${this.origin}/v1/web/sign-up`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    expect(response.status, await response.text()).toBe(201);
  }
}

/** The next event that fits. */
function next<K extends keyof Events>(client: Client, event: K, fits: (value: Events[K]) => boolean = () => true): Promise<Events[K]> {
  return new Promise((resolve) => {
    const stop = client.on(event, (value) => {
      if (!fits(value)) return;
      stop();
      resolve(value);
    });
  });
}

describe.runIf(isBuilt)("a real server", () => {
  const server = new Server();
  const tabs: Tab[] = [];
  const clients: Client[] = [];
  let people = 0;

  beforeAll(() => server.start(), 30_000);
  afterAll(async () => {
    for (const client of clients) client.close();
    await server.kill();
    rmSync(server.folder, { recursive: true });
  });

  function open(browser: Browser, transport: "websocket" | "poll"): { client: Client; tab: Tab } {
    const tab = browser.tab(transport === "websocket" ? { WebSocket: WebSocket as unknown as World["WebSocket"] } : {});
    const client = createClient({ server: server.origin, app: "default", client: "live.test" }, tab.world);
    tabs.push(tab);
    clients.push(client);
    return { client, tab };
  }
  type World = Tab["world"];

  async function person(transport: "websocket" | "poll", browser = new Browser()) {
    const name = `person${++people}`;
    await server.signUp(name);
    const { client, tab } = open(browser, transport);
    await client.signIn({ user: name, password: PASSWORD });
    expect(client.link).toEqual({ state: "live", transport });
    expect(client.user).toBe(name);
    return { name, client, tab, browser };
  }

  for (const transport of ["websocket", "poll"] as const) {
    test(`two people talk over ${transport}`, { timeout: 20_000 }, async () => {
      const [alice, bob] = await Promise.all([person(transport), person(transport)]);
      const arrives = next(bob.client, "message");
      const isDelivered = next(alice.client, "message", (message) => message.state === "delivered");
      const sent = await alice.client.send(bob.name, "你好");
      expect(sent).toMatchObject({ user: bob.name, own: true, text: "你好", state: "sending", local: 1 });
      expect(await arrives).toMatchObject({ user: alice.name, own: false, text: "你好", seq: 1 });
      expect(await isDelivered).toMatchObject({ user: bob.name, seq: 1 });

      const isRead = next(alice.client, "message", (message) => message.state === "read");
      bob.client.markRead(alice.name, 1);
      await isRead;
      const [conversation] = await alice.client.conversations();
      expect(conversation).toMatchObject({ user: bob.name, headSeq: 1, deliveredSeq: 1, theirReadSeq: 1 });

      const typing = next(alice.client, "typing");
      bob.client.typing(alice.name);
      expect(await typing).toEqual({ user: bob.name, stopped: false });

      const reacted = next(alice.client, "message", (message) => message.reactions.length > 0);
      await bob.client.react(alice.name, 1, "👍", true);
      expect((await reacted).reactions).toEqual([{ emoji: "👍", count: 1, users: [bob.name] }]);
      const edited = next(bob.client, "message", (message) => message.edited);
      await alice.client.edit(bob.name, 1, "你好！");
      expect(await edited).toMatchObject({ text: "你好！", seq: 1 });
      const recalled = next(bob.client, "message", (message) => message.recalled);
      await alice.client.recall(bob.name, 1);
      expect(await recalled).toMatchObject({ seq: 1, text: "" });

      await expect(alice.client.recall(bob.name, 1)).rejects.toMatchObject({ code: "too_late", retryable: false });
      await expect(alice.client.history("nobody-has-this-name")).rejects.toMatchObject({ code: "not_found" });
    });
  }

  for (const transport of ["websocket", "poll"] as const) {
    test(`a group talks over ${transport}`, { timeout: 20_000 }, async () => {
      const [alice, bob, carol] = await Promise.all([person(transport), person(transport), person(transport)]);
      const arrives = next(bob.client, "message", ({ text }) => text === "你好");
      const mentioned = next(carol.client, "conversation", ({ group }) => (group?.mentionSeq ?? 0) > 0);
      const comes = [bob, carol].map(({ client }) => next(client, "conversation", ({ group }) => group?.title === "The team"));
      const id = await groups.createGroup(alice.client, { title: "The team", users: [bob.name, carol.name] });
      const team = `#${id}`;
      await Promise.all(comes);
      const settled = next(alice.client, "message", ({ local, seq }) => local === 1 && seq !== undefined);
      await alice.client.send(team, "你好", { mentions: [carol.name] });
      const { seq } = await settled;
      expect(await arrives).toMatchObject({ user: team, sender: alice.name, own: false, seq, mentions: [carol.name] });
      await mentioned;

      const reacted = next(alice.client, "message", ({ reactions }) => reactions.length > 0);
      await bob.client.react(team, seq!, "👍", true);
      expect((await reacted).reactions).toEqual([{ emoji: "👍", count: 1, users: [bob.name] }]);
      bob.client.markRead(team, seq!);
      await until(async () => (await groups.receipts(alice.client, id, seq!)).read === 1);
      expect(await groups.receipts(alice.client, id, seq!)).toMatchObject({ members: 2, readers: [bob.name] });
      expect((await groups.members(carol.client, id))?.members.map(({ user, role }) => [user, role]).sort()).toEqual(
        [[alice.name, "owner"], [bob.name, "member"], [carol.name, "member"]].sort(),
      );

      const out = next(bob.client, "conversation", ({ readOnly }) => readOnly);
      await groups.removeMembers(alice.client, id, [bob.name]);
      await out;
      await alice.client.send(team, "without bob");
      await until(async () => (await carol.client.history(team)).messages.some(({ text }) => text === "without bob"));
      expect((await bob.client.history(team)).messages.map(({ text }) => text)).not.toContain("without bob");
      await expect(groups.mute(carol.client, id, alice.name, 60)).rejects.toMatchObject({ code: "not_allowed" });
      await expect(groups.invite(bob.client, id, [bob.name])).rejects.toMatchObject({ code: "not_found" });
    });
  }

  test("what was said before a device came is read by history", { timeout: 30_000 }, async () => {
    const [alice, bob] = [await person("websocket"), await person("websocket")];
    const stored = next(alice.client, "message", (message) => message.text === "79" && message.state !== "sending");
    for (let number = 0; number < 80; number++) await alice.client.send(bob.name, String(number));
    await stored;
    const { client } = open(new Browser(), "websocket");
    const caughtUp = next(client, "caughtUp");
    await client.signIn({ user: alice.name, password: PASSWORD });
    await caughtUp;
    const newest = await client.history(bob.name, { limit: 30 });
    expect(newest.messages.map((message) => message.text)).toEqual(Array.from({ length: 30 }, (_, at) => String(50 + at)));
    const all = [...newest.messages];
    for (let page = newest; page.from > page.low; ) {
      page = await client.history(bob.name, { before: page.from, limit: 30 });
      all.unshift(...page.messages);
    }
    expect(all.map((message) => message.text)).toEqual(Array.from({ length: 80 }, (_, at) => String(at)));
  });

  test("a wrong password is told, and a right one works afterwards", { timeout: 20_000 }, async () => {
    const { name } = await person("websocket");
    const { client } = open(new Browser(), "websocket");
    await expect(client.signIn({ user: name, password: "wrong" })).rejects.toMatchObject({ code: "unauthenticated" });
    expect(client.link.state).toBe("stopped");
    await client.signIn({ user: name, password: PASSWORD });
    expect(client.link).toEqual({ state: "live", transport: "websocket" });
  });

  test("a later visit resumes, keeps its messages, and signing out forgets them", { timeout: 20_000 }, async () => {
    const [alice, bob] = [await person("websocket"), await person("websocket")];
    const stored = next(alice.client, "message", (message) => message.seq === 1);
    await alice.client.send(bob.name, "kept");
    await stored;
    await alice.client.setDraft(bob.name, "half a thou");
    alice.client.close();
    const { client } = open(alice.browser, "websocket");
    const live = next(client, "link", (link) => link.state === "live");
    expect(await client.start()).toBe(true);
    expect(client.user).toBe(alice.name);
    expect((await client.history(bob.name)).messages).toMatchObject([{ text: "kept", seq: 1 }]);
    expect(await client.drafts()).toEqual(new Map([[bob.name, "half a thou"]]));
    await live;
    await client.signOut();
    expect(client.link).toEqual({ state: "stopped", reason: { kind: "signed-out" } });
    expect(client.user).toBeUndefined();
    expect(await client.conversations()).toEqual([]);
    client.close();
    expect(await open(alice.browser, "websocket").client.start()).toBe(false);
  });

  test("the server is killed and comes back: what was written meanwhile arrives, in order", { timeout: 60_000 }, async () => {
    const [alice, bob] = [await person("websocket"), await person("poll")];
    await server.kill();
    await next(alice.client, "link", (link) => link.state === "broken");
    const heard: string[] = [];
    bob.client.on("message", (message) => void (message.own || heard.push(message.text)));
    const last = next(bob.client, "message", (message) => message.text === "9");
    for (let number = 0; number < 10; number++) await alice.client.send(bob.name, String(number));
    await server.start();
    for (const tab of tabs) tab.fire("online");
    await last;
    expect(heard).toEqual(Array.from({ length: 10 }, (_, at) => String(at)));
  });
});

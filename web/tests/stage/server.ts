/**
 * The real server in a folder of its own: started, killed, started again where it was. Without target/debug/hongyan (or
 * HONGYAN_BINARY) and a built chat it cannot be started, and the tests fail: what is not tried is not known to work.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const WEB = fileURLToPath(new URL("../../", import.meta.url));
const BINARY = process.env["HONGYAN_BINARY"] ?? join(WEB, "../target/debug/hongyan");
/** Without what the server would take for its configuration. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HONGYAN_")));
export const PASSWORD = "correct horse battery staple";

export class Server {
  private readonly folder = mkdtempSync(join(tmpdir(), "hongyan-browser-"));
  private child: ChildProcess | undefined;
  private web = "127.0.0.1:0";
  private http = "";

  constructor() {
    for (const needed of [BINARY, join(WEB, "chat/dist/index.html"), join(WEB, "widget/dist/widget.js"), join(WEB, "bridge/dist/index.html"), join(WEB, "demo/dist/room.html")]) {
      if (!existsSync(needed)) throw new Error(`there is no ${needed}: run \`cargo build -p hongyan-server\` and \`make web\``);
    }
    this.configure([]);
  }

  /** Lets pages of these other sites connect; before the start. */
  allow(...origins: string[]): void {
    this.configure(origins);
  }

  /** Lets pages of these origins frame the bridge; before the start. */
  bridge(...origins: string[]): void {
    this.configure([], `[web]\nbridge_origins = ${JSON.stringify(origins)}\n`);
  }

  /** Lets clients send as fast as they can; before the start. */
  unlimited(): void {
    this.configure([], "[gate]\nframes_per_second = 1000000\nframes_burst = 1000000\n");
  }

  private configure(origins: string[], more = ""): void {
    // Everybody here comes from one address.
    const many = "{ burst = 1000, per_minute = 1000 }";
    const limits = `[logic]\nsign_ups_per_address = ${many}\nvisitors_per_address = ${many}\nsends_per_visitor = ${many}\nsends_per_room = ${many}\n`;
    writeFileSync(join(this.folder, "hongyan.toml"), `${limits}${more}[http]\norigins = ${JSON.stringify(origins)}\n`);
  }

  /** Where browsers find it; the same after a restart. */
  get origin(): string {
    return `http://${this.web}`;
  }

  /** The same server under a name of this machine: browsers resolve `*.localhost` by themselves. */
  originAt(host: string): string {
    return `http://${host}:${new URL(this.origin).port}`;
  }

  async start(): Promise<void> {
    const ports = ["--web", this.web, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-file", "ready.json"];
    const child = spawn(BINARY, ["serve", ...ports], { cwd: this.folder, env: { ...ENVIRONMENT, HONGYAN_LOG_FILTER: "warn" } });
    this.child = child;
    child.stderr.on("data", (data) => process.stderr.write(data));
    const line = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).once("line", resolve);
      child.once("exit", () => reject(new Error("the server did not start")));
    });
    if (!line.includes("is ready")) throw new Error(`the server says ${line}`);
    const ready = JSON.parse(readFileSync(join(this.folder, "ready.json"), "utf8")) as { web: string; http: string };
    this.web = bare(ready.web);
    this.http = bare(ready.http);
    const chat = await fetch(this.origin);
    if (!chat.ok) throw new Error(`the server has no chat: ${await chat.text()}`);
  }

  /** As a power cut does it to the process: kill -9. */
  async kill(): Promise<void> {
    const child = this.child!;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true });
  }

  /** How many connections the server holds, of whatever kind. */
  async connections(): Promise<number> {
    const text = await (await fetch(`http://${this.http}/metrics`)).text();
    const line = /^hongyan_gate_connections (\d+)$/m.exec(text);
    if (!line) throw new Error("the server does not tell its connections");
    return Number(line[1]);
  }

  /** What an operator types. */
  async administer(...words: string[]): Promise<void> {
    const child = spawn(BINARY, [...words, "--http", this.http], { cwd: this.folder, env: ENVIRONMENT, stdio: ["ignore", "ignore", "inherit"] });
    const code = await new Promise((resolve) => child.once("exit", resolve));
    if (code !== 0) throw new Error(`hongyan ${words.join(" ")} ended with ${String(code)}`);
  }

  /** Without a browser, for those who are only talked to. */
  async signUp(user: string): Promise<void> {
    const body = JSON.stringify({ app: "default", user, password: PASSWORD });
    const answer = await fetch(`${this.origin}/v1/web/sign-up`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (answer.status !== 201) throw new Error(`${user} cannot sign up: ${await answer.text()}`);
  }
}

const bare = (address: string): string => address.replace(/^http:\/\//, "").replace(/\/$/, "");

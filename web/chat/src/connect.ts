/** Which server this chat talks to, and the client for it. The only file that knows of demo mode. */
import { type Client, createClient } from "@hongyan/sdk";
import * as groups from "@hongyan/sdk/groups";
import type { GroupActions } from "./model/people.js";
import { askServer, type Server } from "./model/server.js";

/** What this application calls itself at the server. */
const CLIENT = "Hongyan web 0.1.0";

export interface Connection {
  client: Client;
  server: Server;
  groups: GroupActions;
}

/** Nothing if the server cannot be reached and never was. */
export async function connect(): Promise<Connection | undefined> {
  if (import.meta.env.MODE === "demo") {
    const { DemoClient } = await import("./demo/client.js");
    const asked = new URLSearchParams(location.search);
    const signedIn = !asked.has("sign-in");
    const paceMs = Number(asked.get("pace") ?? "450");
    const client = new DemoClient({ signedIn, paceMs });
    Object.assign(globalThis, { demo: client });
    return { client, server: { app: "demo", signUp: true }, groups: client.groups };
  }
  const server = await askServer();
  return server && { client: createClient({ app: server.app, client: CLIENT }), server, groups };
}

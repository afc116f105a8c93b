/** People who write without the chat: nobody sits in front of a browser, and nothing keeps back what they send. */
import { type Client, createClient } from "@hongyan/sdk";
import { PASSWORD, type Server } from "./server";

export class Correspondents {
  private readonly clients: Client[] = [];

  constructor(private readonly server: Server) {}

  /** Somebody new, signed in. */
  async join(name: string): Promise<Client> {
    await this.server.signUp(name);
    const client = createClient({ server: this.server.origin, app: "default", client: "browser tests" });
    this.clients.push(client);
    await client.signIn({ user: name, password: PASSWORD });
    return client;
  }

  /** They go, and keep no connection. */
  leave(): void {
    for (const client of this.clients) client.close();
  }
}

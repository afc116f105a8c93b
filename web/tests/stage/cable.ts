/** The cable between a browser and the server. Pulled out, it loses what is sent and tells nobody, as a real one does. */
import { connect, createServer, type Server as Listener, type Socket } from "node:net";

export class Cable {
  private pulled = false;
  private readonly ends = new Set<Socket>();

  private constructor(
    private readonly listener: Listener,
    /** Where the browser finds the server at this end. */
    readonly origin: string,
  ) {}

  static async to(server: string): Promise<Cable> {
    const { hostname, port } = new URL(server);
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const address = listener.address();
    if (address === null || typeof address === "string") throw new Error("the cable has no end");
    const cable = new Cable(listener, `http://127.0.0.1:${address.port}`);
    listener.on("connection", (near) => cable.join(near, () => connect(Number(port), hostname)));
    return cable;
  }

  private join(near: Socket, reach: () => Socket): void {
    this.hold(near);
    // It never gets through, and is not refused either.
    if (this.pulled) return;
    const far = reach();
    this.hold(far);
    // Not pipes: what is lost must not be kept for later.
    const carry = (from: Socket, to: Socket) => {
      from.on("data", (data) => to.write(data));
      from.on("end", () => to.end());
      from.on("close", () => to.destroy());
    };
    carry(near, far);
    carry(far, near);
  }

  private hold(socket: Socket): void {
    this.ends.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.ends.delete(socket));
  }

  /** From now on nothing arrives. What is connected stays so, and never works again. */
  pull(): void {
    this.pulled = true;
    for (const end of this.ends) {
      for (const event of ["data", "end", "close"]) end.removeAllListeners(event);
      end.on("data", () => undefined);
      end.on("close", () => this.ends.delete(end));
    }
  }

  /** New connections work. */
  plug(): void {
    this.pulled = false;
  }

  async close(): Promise<void> {
    for (const end of this.ends) end.destroy();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}

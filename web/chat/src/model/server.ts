/** The two plain HTTP calls of a sign-in page (PROTOCOL.md §18). Everything else goes through the SDK. */

export interface Server {
  app: string;
  signUp: boolean;
}

const KEY = "hongyan.server";

/** Which app this server's chat is for; what was known last time if the server cannot be reached. */
export async function askServer(): Promise<Server | undefined> {
  try {
    const answer = await fetch("/v1/web", { headers: { accept: "application/json" } });
    const told = (await answer.json()) as { app?: unknown; sign_up?: unknown };
    if (!answer.ok || typeof told.app !== "string") return remembered();
    const server = { app: told.app, signUp: told.sign_up === true };
    localStorage.setItem(KEY, JSON.stringify(server));
    return server;
  } catch {
    return remembered();
  }
}

function remembered(): Server | undefined {
  try {
    const server = JSON.parse(localStorage.getItem(KEY) ?? "null") as Server | null;
    return server && typeof server.app === "string" ? server : undefined;
  } catch {
    return undefined;
  }
}

/** Creates an account; rejects with the code of the problem, or "offline". */
export async function signUp(app: string, user: string, password: string): Promise<void> {
  let answer: Response;
  try {
    answer = await fetch("/v1/web/sign-up", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ app, user, password }),
    });
  } catch {
    throw "offline";
  }
  if (answer.ok) return;
  const problem = (await answer.json().catch(() => ({}))) as { code?: unknown };
  throw typeof problem.code === "string" ? problem.code : "internal";
}

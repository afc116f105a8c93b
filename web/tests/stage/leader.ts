/** Which tab of a browser has the connection. */
import type { Frame } from "playwright-core";

/** This page or frame has the lock by which tabs agree who leads. A lock of its own tells which client it is. */
export const leads = (place: Pick<Frame, "evaluate">) =>
  place.evaluate(() =>
    navigator.locks.request(`asked by ${crypto.randomUUID()}`, async (own) => {
      const { held = [] } = await navigator.locks.query();
      const client = held.find(({ name }) => name === own?.name)?.clientId;
      return held.some(({ name, clientId }) => name?.startsWith("hongyan:") && clientId === client);
    }),
  );

/**
 * How these tests are run: one file after the other in one browser, because a browser and a server already fill a small
 * machine, and with patience, because such a machine may be busy. Nothing waits as long as that if it works.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["*.test.ts"],
    fileParallelism: false,
    // What a file shares with the others keeps nothing: it need not be loaded anew for each.
    isolate: false,
    globalSetup: "stage/browser.ts",
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});

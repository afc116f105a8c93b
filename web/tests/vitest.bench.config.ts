/** How the figures of docs/benchmarks.md about browsers are measured: `make web-bench`. Nothing here passes or fails. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["bench/*.bench.ts"],
    fileParallelism: false,
    isolate: false,
    globalSetup: "stage/browser.ts",
    testTimeout: 1_800_000,
    hookTimeout: 120_000,
  },
});

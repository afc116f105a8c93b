/**
 * How these tests are run: one file after the other, because a browser and a server already fill a small machine, and
 * with patience, because such a machine may be busy. Nothing waits as long as that if it works.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["*.test.ts"],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});

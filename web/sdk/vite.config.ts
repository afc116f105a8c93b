/** Builds one ES module without dependencies; and how tests run. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  // Nothing waits that long, but a machine may be busy with other things.
  test: { testTimeout: 60_000, hookTimeout: 60_000 },
  build: {
    target: "es2022",
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "hongyan" },
    minify: "oxc",
    sourcemap: true,
  },
});

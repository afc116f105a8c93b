/**
 * How the widget is built: one classic script with everything in it, because a site embeds one line. The demo shop in
 * `public` is copied beside it.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  build: {
    target: ["chrome111", "firefox115", "safari16.4"],
    lib: { entry: "src/main.ts", formats: ["iife"], name: "hongyanWidget", fileName: () => "widget.js" },
    minify: "oxc",
  },
  // Nothing waits that long, but a machine may be busy with other things.
  test: { environment: "jsdom", include: ["tests/**/*.test.ts"], testTimeout: 60_000 },
});

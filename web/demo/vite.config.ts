/**
 * How the demo pages are built: hashed files, served by the binary under /demo/. Nothing is inlined into a page, because
 * its content security policy forbids that.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/demo/",
  build: {
    target: ["chrome111", "firefox115", "safari16.4"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: "room.html" },
  },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:7302", ws: true } } },
  test: { include: ["tests/**/*.test.ts"] },
});

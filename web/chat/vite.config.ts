/**
 * How the chat is built: hashed files with relative addresses, so that the folder can be served at any path. Nothing is
 * inlined into the page, because its content security policy forbids that.
 */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    target: ["chrome111", "firefox115", "safari16.4"],
    // An inlined asset would need `data:` in more places than the policy allows.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:7301", ws: true } } },
  test: { environment: "jsdom", include: ["tests/**/*.test.{ts,tsx}"] },
});

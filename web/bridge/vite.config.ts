/**
 * How the page is built: hashed files, served by the binary under /bridge. Nothing is inlined, because its content security
 * policy forbids that.
 */
import { defineConfig } from "vite";

export default defineConfig({
  base: "/bridge/",
  build: {
    target: ["chrome111", "firefox115", "safari16.4"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});

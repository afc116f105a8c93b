/**
 * Measures the script of the first load: everything index.html asks for, and whatever that imports before it can run,
 * each file gzipped alone as a server sends it. Ends with an error above the limit. Needs `npm run build` before.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const FIRST_LOAD_BYTES_MAX = 150_000;
const DIST = resolve(import.meta.dirname, process.argv[2] ?? "../dist");

const sizeOf = (name) => gzipSync(readFileSync(resolve(DIST, "assets", name)), { level: 9 }).length;
const page = readFileSync(resolve(DIST, "index.html"), "utf8");
const first = new Set();

function take(name) {
  if (first.has(name)) return;
  first.add(name);
  const text = readFileSync(resolve(DIST, "assets", name), "utf8");
  // `import x from "./a.js"` and `import "./a.js"`, but not `import("./a.js")`.
  for (const [, found] of text.matchAll(/(?:\bfrom|\bimport)\s*["']\.\/([\w.-]+\.js)["']/g)) take(found);
}

for (const [, path] of page.matchAll(/(?:src|href)="([^"]+\.js)"/g)) take(basename(path));
if (first.size === 0) throw new Error("index.html asks for no script");

const scripts = readdirSync(resolve(DIST, "assets")).filter((name) => name.endsWith(".js"));
for (const name of scripts) console.log(`${first.has(name) ? "first" : "later"}  ${String(sizeOf(name)).padStart(7)}  ${name}`);
const total = [...first].reduce((sum, name) => sum + sizeOf(name), 0);
console.log(`first load: ${total} bytes gzipped, at most ${FIRST_LOAD_BYTES_MAX}`);
if (scripts.some((name) => readFileSync(resolve(DIST, "assets", name), "utf8").includes("Left Hand of Darkness"))) throw new Error("the demo is in the bundle");
if (total > FIRST_LOAD_BYTES_MAX) process.exit(1);

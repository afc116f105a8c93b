// Fails if the script that a site loads, SDK and all, is above its limit when gzipped. Needs `npm run build` before.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT_BYTES = 40 * 1024;

const code = readFileSync(new URL("../dist/widget.js", import.meta.url));
const bytes = gzipSync(code, { level: 9 }).length;
console.log(`${code.length} bytes minified, ${bytes} bytes gzipped; the limit is ${LIMIT_BYTES}`);
if (bytes > LIMIT_BYTES) process.exit(1);

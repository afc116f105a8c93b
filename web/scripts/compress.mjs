// Lays a compressed copy beside each text file of a build, which the server sends to whoever accepts gzip. Changes no
// file and knows no bundler.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const TEXT = /\.(html|js|css|svg|json|webmanifest)$/;
const folders = process.argv.slice(2);
if (folders.length === 0) throw new Error("usage: compress.mjs FOLDER...");

for (const folder of folders) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!TEXT.test(name)) continue;
    const path = join(folder, name);
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
  }
}

// Lays a compressed copy beside each text file of a build, which the server sends to whoever accepts gzip. Changes no
// file and knows no bundler.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const TEXT = /\.(html|js|css|svg|json|webmanifest)$/;
const [folder] = process.argv.slice(2);
if (!folder) throw new Error("usage: compress.mjs FOLDER");

for (const name of readdirSync(folder, { recursive: true })) {
  if (TEXT.test(name)) {
    const path = join(folder, name);
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
  }
}

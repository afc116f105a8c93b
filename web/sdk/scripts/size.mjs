// Fails if the SDK, minified and gzipped as an application would ship it, is above its limit.
import { gzipSync } from "node:zlib";
import { build } from "vite";

const LIMIT_BYTES = 30 * 1024;

const built = await build({
  logLevel: "error",
  configFile: false,
  build: { write: false, target: "es2022", lib: { entry: "src/index.ts", formats: ["es"] }, rolldownOptions: { output: { minify: true } } },
});
const { code } = [built].flat()[0].output[0];
const bytes = gzipSync(code, { level: 9 }).length;
console.log(`${code.length} bytes minified, ${bytes} bytes gzipped; the limit is ${LIMIT_BYTES}`);
if (bytes > LIMIT_BYTES) process.exit(1);

// Fails if an entry of the SDK, minified and gzipped as an application would ship it, is above its limit.
import { gzipSync } from "node:zlib";
import { build } from "vite";

const LIMITS_BYTES = { "src/index.ts": 30 * 1024, "src/groups/index.ts": 4 * 1024, "src/bridge/index.ts": 4 * 1024 };

for (const [entry, limit] of Object.entries(LIMITS_BYTES)) {
  const built = await build({
    logLevel: "error",
    configFile: false,
    build: { write: false, target: "es2022", lib: { entry, formats: ["es"] }, rolldownOptions: { output: { minify: true } } },
  });
  const { code } = [built].flat()[0].output[0];
  const bytes = gzipSync(code, { level: 9 }).length;
  console.log(`${entry}: ${code.length} bytes minified, ${bytes} bytes gzipped; the limit is ${limit}`);
  if (bytes > limit) process.exitCode = 1;
}

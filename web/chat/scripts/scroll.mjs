/**
 * Scrolls through the demo's conversation of 100,000 messages up to its beginning, and measures long tasks. The first
 * part goes slowly and judges whether the reader's place is kept: what stood in the middle must move by what was scrolled
 * and nothing else, also while pages arrive and rows are measured; so does a way back down at the beginning. Between them
 * it goes as fast as pages come. Ends with an error if not. Needs `npm run build:demo` before.
 */
import { resolve } from "node:path";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const TASK_MS_MAX = 100;
/** Rounding of positions, in pixels. */
const DRIFT_PX_MAX = 2;
const MESSAGES = 100_000;
/** Of them slowly, at each end. */
const SLOWLY = 1_200;

const site = await serve(resolve(import.meta.dirname, "../../../target/chat-demo"));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 820 } });
await page.goto(`${site.address}?pace=0#archive`);
await page.locator("[data-bubble]").first().waitFor();
await page.waitForTimeout(1_000);
page.setDefaultTimeout(0);

const result = await page.evaluate(
  async ({ upTo, slowly, driftMax }) => {
    const list = document.querySelector(".messages-scroller");
    const tasks = [];
    new PerformanceObserver((entries) => tasks.push(...entries.getEntries().map((entry) => Math.round(entry.duration)))).observe({ type: "longtask" });
    const frame = () => new Promise(requestAnimationFrame);
    const shown = () => {
      const seen = new Map();
      const top = list.getBoundingClientRect().top;
      for (const row of list.querySelectorAll("[data-index]")) {
        const seq = Number(/^(\d+)\./.exec(row.querySelector(".body")?.textContent ?? "")?.[1]);
        if (seq) seen.set(seq, row.querySelector("[data-bubble]").getBoundingClientRect().top - top);
      }
      return seen;
    };
    const drifts = [];
    let frames = 0;
    let idle = 0;
    /** Goes `step` pixels a frame until a message in the window satisfies, or nothing moves any more. */
    async function go(step, until) {
      for (idle = 0; idle < 200; ) {
        const before = shown();
        // Between two frames, as a wheel does: the page hears of it before it draws.
        await new Promise((done) => setTimeout(done));
        const from = list.scrollTop;
        list.scrollTop = from + step;
        const moved = list.scrollTop - from;
        await frame();
        await frame();
        frames += 1;
        const after = shown();
        // Judged by the row nearest to the middle that is still there.
        const [seq, was] = [...before].filter(([seq]) => after.has(seq)).sort((a, b) => Math.abs(a[1] - 400) - Math.abs(b[1] - 400))[0] ?? [];
        if (seq !== undefined) {
          const drift = Math.abs(after.get(seq) - was + moved);
          if (drift > driftMax) drifts.push([frames, seq, Math.round(drift)]);
        }
        idle = moved === 0 ? idle + 1 : 0;
        if ([...after.keys()].some(until)) return true;
      }
      return false;
    }
    /** As far as it goes at once: nothing of the window before is in the window after. */
    async function hurry(until) {
      for (idle = 0; idle < 200; ) {
        const first = Math.min(...shown().keys());
        list.scrollTop = 900;
        await frame();
        list.scrollTop = 0;
        await frame();
        await frame();
        frames += 1;
        const seqs = [...shown().keys()];
        idle = Math.min(...seqs) < first ? 0 : idle + 1;
        if (seqs.some(until)) return true;
      }
      return false;
    }
    const begin = performance.now();
    const newest = Math.max(...shown().keys());
    const slow = await go(-600, (seq) => seq < newest - slowly);
    const through = await hurry((seq) => seq <= upTo);
    const back = await go(600, (seq) => seq > upTo + slowly);
    const seconds = Math.round((performance.now() - begin) / 1_000);
    drifts.sort((a, b) => b[2] - a[2]);
    return { slow, through, back, frames, seconds, rows: list.querySelectorAll("[data-index]").length, tasks: tasks.length, longestMs: Math.max(0, ...tasks), drifts: drifts.length, worst: drifts.slice(0, 5) };
  },
  { upTo: MESSAGES - Number(process.argv[2] ?? MESSAGES) + 1, slowly: SLOWLY, driftMax: DRIFT_PX_MAX },
);

await browser.close();
await site.stop();
console.log(JSON.stringify(result));
if (!result.slow || !result.through || !result.back || result.longestMs > TASK_MS_MAX || result.drifts > 0) process.exit(1);

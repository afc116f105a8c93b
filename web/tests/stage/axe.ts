/** What people who cannot see or point would stumble over on a page, as far as axe can tell. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/**
 * What axe does not look at. Base UI's guards catch the focus at the end of a menu and hand it on at once; nobody stays on
 * one. The letters in one's own picture, which opens the settings, are a drawing and not the button's words.
 */
const EXCLUDED = ["[data-base-ui-focus-guard]", ".me"];
const SEVERE = ["serious", "critical"];
/** What differs between light and dark, and what does not. */
export type Aspect = "everything" | "colours";
const RULES: Record<Aspect, { runOnly?: string[] }> = { everything: {}, colours: { runOnly: ["color-contrast", "link-in-text-block"] } };

/** What axe finds on the page as it is now, in words that help to find it again. */
export async function faultsOf(page: Page, screen: string, aspect: Aspect = "everything"): Promise<string[]> {
  // Colours are measured when nothing fades any more.
  await page.waitForFunction(() => document.getAnimations().every(({ playState, effect }) => playState !== "running" || effect?.getComputedTiming().iterations === Infinity));
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(
    ([exclude, rules]) => (window as unknown as { axe: { run(where: object, how: object): Promise<AxeResults> } }).axe.run({ exclude }, rules),
    [EXCLUDED, RULES[aspect]] as const,
  );
  expect(passes.length, `axe has looked at ${screen}`).toBeGreaterThan(aspect === "everything" ? 5 : 0);
  return violations
    .filter(({ impact }) => SEVERE.includes(impact ?? ""))
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${screen}: ${id} at ${target.join(" ")}: ${failureSummary}`));
}

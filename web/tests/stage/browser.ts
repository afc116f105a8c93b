/**
 * One browser process for all test files, because starting one is most of what a small file costs. Each test has contexts
 * of its own in it: other cookies, databases, locks. Started and stopped by vitest (`globalSetup`).
 */
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";

/** Nothing here is worth the software emulation of a graphics card. */
const FLAGS = ["--disable-gpu", "--disable-software-rasterizer", "--mute-audio", "--disable-dev-shm-usage"];
/** Long enough for a machine that does much else. */
const START_MS = 60_000;

declare module "vitest" {
  interface ProvidedContext {
    /** Where the browser is reached. */
    browser: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const browser = await chromium.launchServer({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: FLAGS, timeout: START_MS, host: "127.0.0.1" });
  project.provide("browser", browser.wsEndpoint());
  return () => browser.close();
}

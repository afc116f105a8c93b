/**
 * Opens the demo in Chromium and writes pictures of the main screens to target/screenshots, so that people can look at
 * them. Ends with an error if the page breaks its content security policy or throws. Needs `npm run build:demo` before.
 */
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const TARGET = resolve(import.meta.dirname, "../../../target");
const OUT = resolve(TARGET, "screenshots");
/** A busy machine is slow; that is no fault of the page. */
const PATIENCE_MS = 120_000;
const WIDE = { width: 1320, height: 840 };
const PHONE = { width: 390, height: 844 };

const site = await serve(resolve(TARGET, "chat-demo"));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const faults = [];
await mkdir(OUT, { recursive: true });

/** One picture: a fresh visitor with these tastes goes somewhere, does something, and is photographed. */
async function screen(name, { path = "", size = WIDE, dark = false, locale = "en-GB", touch = false }, act = async () => {}) {
  if (process.argv[2] && !name.includes(process.argv[2])) return;
  const context = await browser.newContext({
    viewport: size,
    locale,
    colorScheme: dark ? "dark" : "light",
    deviceScaleFactor: size === PHONE ? 2 : 1.5,
    hasTouch: touch,
    isMobile: touch,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => message.type() === "error" && faults.push(`${name}: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`${name}: ${error.message}`));
  await page.goto(site.address + path);
  await act(page);
  await page.waitForTimeout(450);
  await page.screenshot({ path: resolve(OUT, `${name}.png`) });
  await context.close();
}

const settled = (page) => page.locator("[data-bubble]").first().waitFor();
const bubble = (page, text) => page.locator("[data-bubble]", { hasText: text }).last();

await screen("sign-in", { path: "?sign-in" }, (page) => page.locator("form").waitFor());
await screen("sign-up-error", { path: "?sign-in", dark: true }, async (page) => {
  await page.getByRole("button", { name: "Create account" }).click();
  await page.locator("input").first().fill("lin.wei");
  await page.locator("input").nth(1).fill("short");
  await page.locator("form button[type=submit]").click();
});
await screen("empty-pane", {}, (page) => page.locator(".conversation").first().waitFor());
await screen("conversation-light", { path: "#Maya.Okafor" }, settled);
await screen("conversation-dark", { path: "#Maya.Okafor", dark: true }, settled);
await screen("conversation-chinese", { path: "#chen.yu", locale: "zh-CN" }, settled);
await screen("unread", { path: "#ops-alerts" }, settled);
await screen("arabic", { path: "#tariq.h" }, settled);
await screen("placeholders", { path: "#Sofia_Lindqvist", dark: true }, settled);
await screen("blocked", { path: "#old.account" }, settled);
await screen("nobody-yet", { path: "#newcomer" }, (page) => page.locator(".hello").waitFor());
await screen("message-menu", { path: "#Maya.Okafor" }, async (page) => {
  await settled(page);
  await bubble(page, "until six").click({ button: "right" });
  await page.locator(".message-menu").waitFor();
});
await screen("emoji", { path: "#Maya.Okafor" }, async (page) => {
  await settled(page);
  await page.getByRole("button", { name: "Emoji" }).click();
  await page.locator(".emoji-cells").first().waitFor();
});
await screen("settings-dark", { path: "#Maya.Okafor", dark: true }, async (page) => {
  await settled(page);
  await page.getByRole("button", { name: "Settings" }).click();
  await page.locator(".settings").waitFor();
});
await screen("new-chat", { path: "#Maya.Okafor" }, async (page) => {
  await settled(page);
  await page.getByRole("button", { name: "New chat" }).click();
  await page.getByRole("dialog").waitFor();
});
const TEAM = "#%23release-team";
const panel = async (page, name) => {
  await settled(page);
  await page.getByRole("button", { name }).click();
  await page.locator(".drawer .member").first().waitFor();
};
await screen("group-light", { path: TEAM }, settled);
await screen("group-dark", { path: TEAM, dark: true, locale: "zh-CN" }, settled);
await screen("group-mention", { path: TEAM }, async (page) => {
  await settled(page);
  await page.locator(".composer textarea").pressSequentially("Thanks @");
  await page.locator(".mentions").waitFor();
});
await screen("group-panel", { path: TEAM }, (page) => panel(page, "Group information"));
await screen("group-panel-dark", { path: TEAM, dark: true, locale: "zh-CN" }, async (page) => {
  await panel(page, "群信息");
  await page.locator(".drawer-body").evaluate((body) => body.scrollTo(0, body.scrollHeight));
});
await screen("group-member", { path: TEAM }, async (page) => {
  await panel(page, "Group information");
  await page.getByRole("button", { name: "Actions for Maya" }).click();
  await page.getByRole("menu").waitFor();
});
await screen("group-readers", { path: TEAM }, async (page) => {
  await settled(page);
  await bubble(page, "long soak tonight").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Read by…" }).click();
  await page.locator(".readers .member").first().waitFor();
});
await screen("group-muted", { path: TEAM, dark: true }, async (page) => {
  await settled(page);
  await page.evaluate(() => {
    const { group } = demo.conversationOf("#release-team");
    demo.moved("#release-team", { group: { ...group, role: "member", mutedAll: true } });
  });
  await page.locator(".composer.blocked").waitFor();
});
await screen("group-new", {}, async (page) => {
  await page.locator(".conversation").first().waitFor();
  await page.getByRole("button", { name: "New group" }).click();
  await page.getByLabel("Title").fill("Hiking");
  await page.getByLabel("People").pressSequentially("Maya.Okafor jonas ");
});
await screen("group-join", { path: "#join/hikers/abc" }, (page) => page.getByRole("dialog").waitFor());
await screen("group-phone", { path: TEAM, size: PHONE, touch: true }, settled);
await screen("group-phone-panel", { path: TEAM, size: PHONE, touch: true, dark: true }, (page) => panel(page, "Group information"));
await screen("filter", {}, async (page) => {
  await page.locator(".conversation").first().waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("ma");
});
await screen("reply", { path: "#Maya.Okafor" }, async (page) => {
  await settled(page);
  await bubble(page, "tell the others").hover();
  await page.locator(".messages-row", { hasText: "tell the others" }).getByRole("button", { name: "Reply" }).click();
  await page.keyboard.type("Thank you! Two more lines");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("that make the box grow");
  await bubble(page, "tell the others").hover();
});
await screen("failed", { path: "#jonas" }, async (page) => {
  await settled(page);
  await page.keyboard.type("/fail this one on purpose");
  await page.keyboard.press("Enter");
  await page.locator(".failed-line").waitFor();
});
await screen("offline", { path: "#Maya.Okafor" }, async (page) => {
  await settled(page);
  await page.evaluate(() => demo.setLink({ state: "broken", retryAt: Date.now() + 9_000 }));
  await page.keyboard.type("Written without a connection");
  await page.keyboard.press("Enter");
  await page.waitForTimeout(1_500);
});
await screen("typing", { path: "#Maya.Okafor" }, async (page) => {
  await settled(page);
  await page.evaluate(() => {
    demo.emit("typing", { user: "Maya.Okafor", stopped: false });
    demo.emit("typing", { user: "Priya", stopped: false });
  });
});
await screen("scrolled-up", { path: "#archive", dark: true }, async (page) => {
  await settled(page);
  await page.locator(".messages-scroller").hover();
  for (let turn = 0; turn < 8; turn += 1) {
    await page.mouse.wheel(0, -700);
    await page.waitForTimeout(120);
  }
});
await screen("phone-list", { size: PHONE, touch: true }, (page) => page.locator(".conversation").first().waitFor());
await screen("phone-conversation", { path: "#Maya.Okafor", size: PHONE, touch: true }, settled);
await screen("phone-chinese-dark", { path: "#chen.yu", size: PHONE, touch: true, dark: true, locale: "zh-CN" }, settled);
await screen("phone-sign-in", { path: "?sign-in", size: PHONE, touch: true, locale: "zh-CN" }, (page) => page.locator("form").waitFor());

await browser.close();
await site.stop();
if (faults.length > 0) {
  console.error([...new Set(faults)].join("\n"));
  process.exit(1);
}
console.log(`pictures are in ${OUT}`);

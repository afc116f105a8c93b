/**
 * Pictures of visitors and of what merchants see of them, in target/screenshots. Nothing is compared: the test is that
 * each screen comes to stand without a fault.
 */
import { mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Chromium, PATIENCE_MS, PHONE } from "./stage/chromium";
import { Person } from "./stage/person";
import { Server } from "./stage/server";
import { Visitor } from "./stage/visitor";

const OUT = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const SIZE = { width: 1180, height: 760 };
/** A picture that is smaller shows nothing. */
const BYTES_MIN = 8_000;

const server = new Server();
const chromium = new Chromium();

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(() => Promise.all([chromium.stop(), server.remove()]));
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

async function picture(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0);
  const path = `${OUT}${name}.png`;
  await page.screenshot({ path, animations: "disabled", caret: "hide" });
  expect(statSync(path).size).toBeGreaterThan(BYTES_MIN);
}

/** A visitor of the tea shop, who has said and heard something. */
async function asks(merchant: Person, options: BrowserContextOptions, [question, answer, more]: [string, string, string], attributes = ""): Promise<Visitor> {
  const context = await chromium.visitor({ viewport: SIZE, ...options });
  const visitor = await Visitor.comes(context, `${server.origin}/demo/shop?merchant=${merchant.name}&title=Oak%20%26%20Leaf${attributes}`);
  await visitor.opens();
  await visitor.says(question);
  await visitor.seesTick("Delivered", "已送达");
  await merchant.page.locator(".conversation", { hasText: question }).click();
  await merchant.write(answer);
  await visitor.seesOnly([question, answer]);
  await visitor.says(more);
  await merchant.sees(more);
  await visitor.seesTick("Read", "已读");
  return visitor;
}

test("visitors and their merchant come to stand without a fault", async () => {
  mkdirSync(OUT, { recursive: true });
  const merchant = await Person.signUp(await chromium.visitor({ viewport: SIZE }), server.origin, "oak.leaf");
  await server.administer("user", "take-visitors", "oak.leaf");

  const door = await Visitor.comes(await chromium.visitor({ viewport: SIZE }), `${server.origin}/demo/shop?merchant=oak.leaf`);
  await picture(door.page, "widget-closed");
  await door.page.context().close();

  const dark = await asks(merchant, { colorScheme: "dark" }, ["Which tea goes with milk?", "Red Lantern. It is made for it.", "Then two bags of that, please"]);
  await picture(dark.page, "widget-dark");
  await dark.page.keyboard.press("Escape");
  await merchant.write("They leave tomorrow morning 📦");
  await dark.widget.locator(".preview:visible").waitFor();
  await picture(dark.page, "widget-news");
  await dark.page.context().close();

  const phone = await asks(merchant, { viewport: PHONE, deviceScaleFactor: 2, isMobile: true, hasTouch: true }, ["你们发货到上海吗？", "发的，大约一周送到。", "太好了，谢谢！"], "&language=zh");
  await picture(phone.page, "widget-phone");
  await phone.page.context().close();

  const light = await asks(merchant, {}, ["Is the Old Road Oolong of this spring?", "It is: picked in April, roasted in May. https://oakleaf.example/oolong", "Wonderful, I will take 50 g"]);
  // It is told every 3 s, and was told with the answer.
  let typed = "";
  const isTyping = async () => {
    await merchant.field.fill((typed += "w"));
    return light.widget.locator(".dots").isVisible();
  };
  await expect.poll(isTyping, { timeout: PATIENCE_MS }).toBe(true);
  await picture(light.page, "widget");
  await merchant.field.fill("");
  await picture(merchant.page, "chat-visitor");

  const customer = await Person.signUp(light.page.context(), server.origin, "ingrid");
  await customer.page.locator(".conversation", { hasText: "as a visitor" }).click();
  await customer.sees("Wonderful, I will take 50 g");
  await picture(customer.page, "chat-as-visitor");
  await merchant.page.locator(".composer.blocked").waitFor();
  await picture(merchant.page, "chat-claimed");
  await merchant.page.context().close();
  await light.page.context().close();
});

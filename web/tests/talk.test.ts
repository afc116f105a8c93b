/** Two people sign up, each in a browser of their own, and do with messages all that the chat offers. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Chromium } from "./stage/chromium";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

const server = new Server();
const chromium = new Chromium();

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(() => Promise.all([chromium.stop(), server.remove()]));
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

async function pair(alice: string, bob: string): Promise<[Person, Person]> {
  const [here, there] = await Promise.all([chromium.visitor(), chromium.visitor()]);
  const both = await Promise.all([Person.signUp(here, server.origin, alice), Person.signUp(there, server.origin, bob)]);
  await Promise.all([both[0].open(bob), both[1].open(alice)]);
  return both;
}

test("two people sign up and talk both ways; ticks become read", async () => {
  const [alice, bob] = await pair("alice", "bob");
  await alice.write("Hello Bob");
  await bob.sees("Hello Bob");
  await alice.seesTick("Hello Bob", "Read");
  await bob.write("你好，Alice 👋");
  await alice.sees("你好，Alice 👋");
  await bob.seesTick("你好，Alice 👋", "Read");

  // Where nobody looks, it is delivered and counted, not read.
  await bob.page.keyboard.press("Escape");
  await bob.page.locator(".nobody").waitFor();
  await alice.write("Are you still there?");
  await alice.seesTick("Are you still there?", "Delivered");
  await bob.page.locator(".conversation", { hasText: "alice" }).locator(".badge", { hasText: "1" }).waitFor();
  await bob.open("alice");
  await alice.seesTick("Are you still there?", "Read");
  await bob.page.locator(".conversation .badge").waitFor({ state: "detached" });
  await Promise.all([alice.page.context().close(), bob.page.context().close()]);
});

test("a message is answered, edited, recalled, reacted to; somebody types", async () => {
  const [carol, dave] = await pair("carol", "dave");
  await carol.write("Lunch at noon?");
  await dave.sees("Lunch at noon?");

  await dave.field.pressSequentially("One");
  await carol.page.locator(".pane-head .is-typing").waitFor();
  await dave.choose("Lunch at noon?", "Reply");
  await dave.write("One o'clock is better");
  await carol.message("One o'clock is better").locator(".quote", { hasText: "Lunch at noon?" }).waitFor();
  await carol.page.locator(".pane-head .is-typing").waitFor({ state: "detached" });

  await carol.choose("Lunch at noon?", "Edit");
  await carol.write("Lunch at one?");
  await dave.message("Lunch at one?").locator(".meta-edited").waitFor();
  await dave.message("One o'clock is better").locator(".quote", { hasText: "Lunch at one?" }).waitFor();

  await dave.choose("Lunch at one?", "👍");
  const reaction = carol.message("Lunch at one?").locator(".reaction");
  await reaction.filter({ hasText: "👍" }).waitFor();
  expect(await reaction.getAttribute("aria-pressed")).toBe("false");
  await reaction.click();
  await dave.message("Lunch at one?").locator(".reaction", { hasText: "2" }).waitFor();
  await reaction.click();
  await dave.message("Lunch at one?").locator(".reaction", { hasText: "2" }).waitFor({ state: "detached" });

  await dave.write("Wrong window, sorry");
  await carol.sees("Wrong window, sorry");
  await dave.choose("Wrong window, sorry", "Recall for everyone");
  await dave.page.getByRole("alertdialog").getByRole("button", { name: "Recall" }).click();
  await carol.page.locator(".recalled-body", { hasText: "dave recalled a message" }).waitFor();
  await dave.page.locator(".recalled-body", { hasText: "You recalled a message" }).waitFor();
  expect(await carol.message("Wrong window, sorry").count()).toBe(0);
  await Promise.all([carol.page.context().close(), dave.page.context().close()]);
});

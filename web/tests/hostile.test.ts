/**
 * Texts that want to be more than text. The page's policy would stop most of them by itself; it is switched off here, so
 * that what is tested is the chat. That the policy is there is tested, too.
 */
import * as groups from "@hongyan/sdk/groups";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Chromium } from "./stage/chromium";
import { alarmsIn, CORPUS } from "./stage/corpus";
import { Correspondents } from "./stage/correspondent";
import { Gathering } from "./stage/gathering";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

/** High enough to hold the whole corpus at once. */
const TALL = { width: 900, height: 5_000 };
/** What a message may be made of. */
const ALLOWED = ["A", "BDI", "CODE", "PRE", "SPAN"];

const server = new Server();
const chromium = new Chromium();
const attackers = new Correspondents(server);

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(async () => {
  attackers.leave();
  await Promise.all([chromium.stop(), server.remove()]);
});
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

test("the corpus stays inert as messages, replies, reactions, edits, previews, drafts and addresses", async () => {
  const context = await chromium.visitor({ bypassCSP: true, viewport: TALL });
  const alarms = await alarmsIn(context, server.origin);
  const [alice, mallory] = await Promise.all([Person.signUp(context, server.origin, "alice"), attackers.join("mallory")]);
  await alice.open("mallory");
  const { page } = alice;

  let replyTo: number | undefined;
  for (const text of CORPUS) {
    const stored = new Promise<number>((resolve) => {
      const stop = mallory.on("message", (message) => {
        if (!message.own || message.text !== text || message.seq === undefined) return;
        stop();
        resolve(message.seq);
      });
    });
    await mallory.send("alice", text, replyTo === undefined ? {} : { replyTo });
    replyTo = await stored;
    // The server may refuse what is no emoji; whatever it lets through must do no harm.
    await mallory.react("alice", replyTo, text.slice(0, 32), true).catch(() => undefined);
  }
  await mallory.send("alice", "the end");
  await alice.sees("the end");
  await mallory.edit("alice", replyTo!, `${CORPUS[0]!} edited`);
  await page.locator(".meta-edited").waitFor();
  await alice.field.fill(CORPUS[0]!);

  // The words are there as they were written; marks of code and stacked accents aside, nothing was taken away.
  const shown = (await alice.texts()).slice(0, -2);
  expect(shown).toEqual(CORPUS.slice(0, -1).map((text) => text.replaceAll("`", "")));

  const found = await page.evaluate((allowed) => {
    const inside = [...document.querySelectorAll(".body *, .quote span *, .conversation-last *, .conversation-name *, .reaction *, .toast *")];
    const strange = inside.filter((element) => !allowed.includes(element.tagName));
    const attributes = [...document.querySelectorAll("#root *")].flatMap((element) => element.getAttributeNames().filter((name) => name.startsWith("on")));
    const links = [...document.querySelectorAll<HTMLAnchorElement>("#root a")].map((link) => ({
      protocol: link.protocol,
      user: link.username + link.password,
      rel: link.rel,
      target: link.target,
    }));
    const loaders = document.querySelectorAll("#root :is(iframe, object, embed, img, video, audio, base, meta, link, form, style, script)").length;
    return { strange: strange.map((element) => element.outerHTML), attributes, links, loaders };
  }, ALLOWED);
  expect(found.strange).toEqual([]);
  expect(found.attributes).toEqual([]);
  expect(found.loaders).toBe(0);
  expect(found.links.length).toBeGreaterThan(2);
  for (const link of found.links) {
    expect(["http:", "https:"]).toContain(link.protocol);
    expect(link.user).toBe("");
    expect(link.rel.split(" ")).toEqual(expect.arrayContaining(["noopener", "noreferrer"]));
    expect(link.target).toBe("_blank");
  }

  // Addresses and the search are chosen by others, too.
  for (const text of [...CORPUS.slice(0, 5), "%"]) {
    const address = text === "%" ? text : encodeURIComponent(text);
    await page.goto(`${server.origin}/?${address}#${address}`);
    await alice.isIn();
    await page.locator(".search input").fill(text);
  }
  await page.locator(".conversation", { hasText: "mallory" }).waitFor({ state: "detached" });
  expect(alarms).toEqual([]);
  await context.close();
});

test("the policy of the page allows no script but the chat's own", async () => {
  const answer = await fetch(server.origin);
  const policy = answer.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'self'");
  expect(policy).not.toMatch(/unsafe-(inline|eval)[^;]*$|script-src[^;]*(unsafe|\*|data:)/);
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");

  const context = await chromium.visitor();
  const page = await context.newPage();
  await page.goto(server.origin);
  await page.locator("form").waitFor();
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    return "ran" in window;
  });
  expect(ran).toBe(false);
  expect(chromium.faults.splice(0).join()).toMatch(/content security policy/i);
  await context.close();
});

test("the corpus stays inert in a group: as titles, announcements, nicknames, mentions, events and requests to join", async () => {
  const context = await chromium.visitor({ bypassCSP: true, viewport: TALL });
  const alarms = await alarmsIn(context, server.origin);
  const [alice, mallory, oscar] = await Promise.all([Person.signUp(context, server.origin, "alice2"), attackers.join("mallory2"), attackers.join("oscar")]);
  const group = await groups.createGroup(mallory, { title: "A group", users: ["alice2"], join: "asked" });
  await groups.setAdmin(mallory, group, "alice2", true);
  const hers = await Gathering.find(alice, "A group");
  await hers.opensPanel();
  const { page } = alice;
  for (const text of CORPUS) {
    // The server refuses what is too long; whatever it lets through must do no harm.
    await groups.setProfile(mallory, group, { title: text.slice(0, 120), intro: text }).catch(() => undefined);
    await groups.setAnnouncement(mallory, group, text).catch(() => undefined);
    await groups.setNickname(mallory, group, text.slice(0, 60)).catch(() => undefined);
    await groups.join(oscar, group, { text: text.slice(0, 200) }).catch(() => undefined);
    await mallory.send(`#${group}`, `@alice2 ${text}`, { mentions: ["alice2"] });
  }
  await groups.setNickname(mallory, group, "<b>x</b>");
  await groups.setProfile(mallory, group, { title: "The end" });
  await page.locator(".pane-head h2", { hasText: "The end" }).waitFor();
  await hers.panel.locator(".asking").waitFor();
  await hers.member("<b>x</b>").waitFor();
  await hers.closesPanel();
  await page.locator(".sender", { hasText: "<b>x</b>" }).first().waitFor();
  await alice.field.pressSequentially("@");
  await page.getByRole("option", { name: "<b>x</b>" }).waitFor();
  const found = await page.evaluate(() => ({
    attributes: [...document.querySelectorAll("body *")].flatMap((element) => element.getAttributeNames().filter((name) => name.startsWith("on"))),
    loaders: document.querySelectorAll("#root :is(iframe, object, embed, img, video, audio, base, meta, link, form, style, script)").length,
    bold: document.querySelectorAll(".sender b, .message-event b, .mentions b, .conversation b").length,
  }));
  expect(found).toEqual({ attributes: [], loaders: 0, bold: 0 });
  expect(alarms).toEqual([]);
  await context.close();
});

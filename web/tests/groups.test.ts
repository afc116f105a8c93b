/** People gather: a group is made, talked in, governed and left, each member in a browser of their own. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { faultsOf } from "./stage/axe";
import { Chromium, PHONE } from "./stage/chromium";
import { Gathering } from "./stage/gathering";
import { Person } from "./stage/person";
import { Server } from "./stage/server";

/** High enough for all that is said. */
const TALL = { width: 1_100, height: 1_600 };

const server = new Server();
const chromium = new Chromium();

beforeAll(() => Promise.all([server.start(), chromium.start()]));
afterAll(() => Promise.all([chromium.stop(), server.remove()]));
afterEach(() => expect(chromium.faults.splice(0)).toEqual([]));

/** So many people of these names, signed up. */
async function people(...names: string[]): Promise<Person[]> {
  return Promise.all(names.map(async (name) => Person.signUp(await chromium.visitor({ viewport: TALL }), server.origin, name)));
}

const leave = (...persons: Person[]) => Promise.all(persons.map(({ page }) => page.context().close()));

test("two people and a group: one makes it, both talk, one is mentioned, removed, and sees nothing more", async () => {
  const [ann, bob] = (await people("ann", "bob")) as [Person, Person];
  const hers = await Gathering.create(ann, "The walk", ["bob"]);
  await hers.seesEvent("You invited bob");
  const his = await Gathering.find(bob, "The walk");
  await his.seesEvent("ann invited you");

  await ann.write("Who brings the map?");
  await bob.sees("Who brings the map?");
  await his.seesSender("Who brings the map?", "ann");
  await bob.write("I do");
  await hers.seesSender("I do", "bob");

  // Where he does not look, he is counted for and mentioned.
  await bob.page.keyboard.press("Escape");
  await bob.page.locator(".nobody").waitFor();
  await ann.field.pressSequentially("Thanks @bo");
  await ann.page.getByRole("option", { name: "bob" }).waitFor();
  await ann.field.press("Enter");
  await ann.field.press("Enter");
  await his.row.locator(".mention-mark").waitFor();
  await his.row.locator(".badge", { hasText: "1" }).waitFor();
  await bob.open("The walk");
  await bob.page.locator(".mention.mine", { hasText: "@bob" }).waitFor();
  await his.row.locator(".mention-mark").waitFor({ state: "detached" });

  await ann.choose("Who brings the map?", "Read by…");
  await ann.page.getByRole("dialog").getByText("Read by 1 of 1").waitFor();
  await ann.page.getByRole("dialog").locator(".readers .member", { hasText: "bob" }).waitFor();
  await ann.page.getByRole("dialog").getByRole("button", { name: "Close" }).click();

  await hers.opensPanel();
  await hers.chooses("bob", "Remove from the group", "Remove");
  await hers.seesEvent("You removed bob");
  await hers.closesPanel();
  await ann.write("He did not hear this");
  await his.seesEvent("ann removed you");
  await bob.page.locator(".composer", { hasText: "You are not in this group any more." }).waitFor();
  await his.seesOnly(["Who brings the map?", "I do", "Thanks @bob"]);
  // Neither does whoever asks the server anew.
  await bob.page.reload();
  await his.isOpen();
  await his.seesOnly(["Who brings the map?", "I do", "Thanks @bob"]);
  await hers.seesOnly(["Who brings the map?", "I do", "Thanks @bob", "He did not hear this"]);
  await leave(ann, bob);
});

test("an invitation link brings somebody in, who sees what is said from then on", async () => {
  const [cleo, dan] = (await people("cleo", "dan")) as [Person, Person];
  await cleo.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const hers = await Gathering.create(cleo, "Choir", []);
  await cleo.write("Before anybody came");
  await cleo.sees("Before anybody came");
  await hers.opensPanel();
  await hers.panel.getByRole("button", { name: "Copy link" }).click();
  await cleo.page.locator(".toast").waitFor();
  const address = await cleo.page.evaluate(() => navigator.clipboard.readText());
  await hers.closesPanel();

  await dan.page.goto(address);
  await dan.page.getByRole("dialog").getByRole("button", { name: "Join" }).click();
  const his = new Gathering(dan, "Choir");
  await his.isOpen();
  await hers.seesEvent("dan joined");
  await cleo.write("Welcome, Dan");
  await dan.sees("Welcome, Dan");
  await his.seesOnly(["Welcome, Dan"]);
  await dan.page.reload();
  await his.isOpen();
  await his.seesOnly(["Welcome, Dan"]);
  await leave(cleo, dan);
});

test("an owner governs: silence, admins, what is pinned and announced, the end", async () => {
  const [eve, finn] = (await people("eve", "finn")) as [Person, Person];
  const hers = await Gathering.create(eve, "House", ["finn"]);
  const his = await Gathering.find(finn, "House");
  await finn.write("Party tonight?");
  await eve.sees("Party tonight?");

  await hers.opensPanel();
  await hers.panel.getByRole("switch", { name: "Only admins write" }).click();
  await finn.page.locator(".composer", { hasText: "Only the owner and admins may write now." }).waitFor();
  await hers.chooses("finn", "Make admin");
  await finn.field.waitFor();
  await hers.member("finn").getByText("Admin").waitFor();
  await hers.panel.getByRole("switch", { name: "Only admins write" }).click();
  await his.seesEvent("eve let everybody speak again");

  await hers.panel.getByRole("button", { name: "Change announcement" }).click();
  await hers.panel.getByRole("textbox", { name: "Announcement" }).fill("Quiet after ten");
  await hers.panel.getByRole("button", { name: "Save" }).click();
  await his.seesEvent("eve changed the announcement");
  await hers.panel.getByRole("button", { name: "Change title" }).click();
  await hers.panel.getByRole("textbox", { name: "Title" }).fill("Our house");
  await hers.panel.getByRole("button", { name: "Save" }).click();
  await finn.page.locator(".pane-head h2", { hasText: "Our house" }).waitFor();
  await hers.closesPanel();

  await eve.choose("Party tonight?", "Pin");
  await finn.page.locator(".pinned-bar", { hasText: "Party tonight?" }).waitFor();
  await eve.choose("Party tonight?", "👍");
  await finn.message("Party tonight?").locator(".reaction", { hasText: "👍" }).waitFor();
  await eve.choose("Party tonight?", "Remove for everyone");
  await eve.page.getByRole("alertdialog").getByRole("button", { name: "Recall" }).click();
  await finn.page.locator(".recalled-body").waitFor();

  await hers.opensPanel();
  await hers.panel.getByRole("button", { name: "Dissolve the group" }).click();
  await eve.page.getByRole("alertdialog").getByRole("button", { name: "Dissolve" }).click();
  for (const person of [eve, finn]) await person.page.locator(".composer", { hasText: "This group was dissolved." }).waitFor();
  await leave(eve, finn);
});

test("what was said offline and while the connection was away is there once and in order", async () => {
  const [gil, hana] = (await people("gil", "hana")) as [Person, Person];
  await Gathering.create(gil, "Relay", ["hana"]);
  const hers = await Gathering.find(hana, "Relay");
  await gil.write("one");
  await hana.sees("one");
  await hana.page.context().setOffline(true);
  await hana.write("written without a connection");
  await gil.write("two");
  await gil.write("three");
  await gil.seesTick("three", "Sent");
  await server.kill();
  await server.start();
  await hana.page.context().setOffline(false);
  await gil.sees("written without a connection");
  const said = ["one", "two", "three", "written without a connection"];
  await hers.seesOnly(said);
  await new Gathering(gil, "Relay").seesOnly(said);
  await leave(gil, hana);
});

test("the screens of groups have no faults for those who cannot see or point, also on a phone and in the dark", async () => {
  const [ivy] = (await people("ivy")) as [Person];
  await server.signUp("jon");
  const hers = await Gathering.create(ivy, "Garden", ["jon"]);
  await ivy.write("@jon the tomatoes are ripe");
  await ivy.sees("@jon the tomatoes are ripe");
  const found: string[] = [];
  found.push(...(await faultsOf(ivy.page, "a group")));
  await ivy.field.pressSequentially("@");
  await ivy.page.getByRole("listbox").waitFor();
  found.push(...(await faultsOf(ivy.page, "the list of mentions")));
  await ivy.field.press("Escape");
  await ivy.field.fill("");
  await hers.opensPanel();
  await hers.member("jon").waitFor();
  found.push(...(await faultsOf(ivy.page, "the panel of a group")));
  await ivy.page.emulateMedia({ colorScheme: "dark" });
  await ivy.page.locator("html[data-theme=dark]").waitFor();
  found.push(...(await faultsOf(ivy.page, "the panel in the dark", "colours")));
  await hers.closesPanel();
  found.push(...(await faultsOf(ivy.page, "a group in the dark", "colours")));
  await ivy.page.getByRole("button", { name: "New group" }).click();
  await ivy.page.getByRole("dialog").waitFor();
  found.push(...(await faultsOf(ivy.page, "a new group")));
  await ivy.page.keyboard.press("Escape");
  await ivy.page.setViewportSize(PHONE);
  await hers.opensPanel();
  found.push(...(await faultsOf(ivy.page, "the panel on a phone")));
  expect(found).toEqual([]);
  await leave(ivy);
});

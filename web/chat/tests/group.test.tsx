/** A group on the screen, with the demo's client behind it. */
import type { GroupEvent, Message } from "@hongyan/sdk";
import { act, cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DemoClient } from "../src/demo/client.js";
import { ME, TEAM } from "../src/demo/script.js";
import { Chat } from "../src/model/chat.js";
import { eventText } from "../src/model/events.js";
import { initials, titleOf } from "../src/model/names.js";
import { place } from "../src/model/runs.js";
import { Composer } from "../src/views/composer.js";
import { GroupNote } from "../src/views/group.js";
import { EventRow, MessageRow } from "../src/views/message-row.js";
import { ChatContext } from "../src/views/watch.js";
import { en } from "../src/words/en.js";
import { zh } from "../src/words/zh.js";

let client: DemoClient;
let chat: Chat;

beforeEach(async () => {
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
  client = new DemoClient({ paceMs: 0 });
  await client.start();
  chat = new Chat(client, ME, client.groups);
  chat.begin();
  chat.show(TEAM);
  await vi.waitFor(() => expect(chat.open.get()?.view.get().phase).toBe("ready"));
  await vi.waitFor(() => expect(chat.people.get()?.members.get().size).toBe(8));
});
afterEach(() => {
  cleanup();
  chat.stop();
  vi.unstubAllGlobals();
});

const within = (view: React.ReactNode) => render(<ChatContext value={chat}>{view}</ChatContext>);
const group = () => chat.conversation(TEAM)!.group!;
const timeline = () => chat.open.get()!;
const nothing = () => undefined;
const seq = (number: number): Message => timeline().view.get().segment.messages.find((message) => message.seq === number)!;
const row = (message: Message, begins = true, ends = true) =>
  within(<MessageRow message={message} timeline={timeline()} begins={begins} ends={ends} state={undefined} flash={false} onJump={nothing} onReply={nothing} onMenu={nothing} />);

describe("events in words", () => {
  const said = (event: GroupEvent, sender: string, words = en) => eventText(event, sender, words, "me", (user) => user);

  test.each<[GroupEvent, string, string]>([
    [{ created: "Team" }, "me", "You created the group “Team”"],
    [{ joined: { users: ["bob"] } }, "bob", "bob joined"],
    [{ joined: { users: ["bob"] } }, "ann", "ann invited bob"],
    [{ joined: { users: ["me", "bob", "carl"] } }, "ann", "ann invited you, bob, and carl"],
    [{ joined: { users: ["a", "b", "c", "d", "e"] } }, "ann", "ann invited a, b, c, and 2 others"],
    [{ left: { users: ["ann"] } }, "ann", "ann left"],
    [{ left: { users: ["me"] } }, "ann", "ann removed you"],
    [{ silence: { user: "bob", untilMs: 5 } }, "ann", "ann muted bob"],
    [{ silence: { user: "bob", untilMs: 0 } }, "ann", "ann let bob speak again"],
    [{ mutedAll: false }, "me", "You let everybody speak again"],
    [{} as GroupEvent, "ann", "ann changed the group"],
  ])("%j", (event, sender, words) => expect(said(event, sender)).toBe(words));

  test("in Chinese, too", () => expect(said({ joined: { users: ["a", "b"] } }, "me", zh)).toBe("您邀请a和b加入了群聊"));
});

test("a group is called by its title, a person by their name", () => {
  expect(titleOf({ user: TEAM, group: group() }, en)).toBe("Release team");
  expect(titleOf({ user: "#unknown" }, en)).toBe("unknown");
  expect([initials("Release team"), initials("发布小组"), initials("Über uns"), initials("…")]).toEqual(["RT", "发", "ÜU", "?"]);
});

test("a run ends where another person writes, or something happens", () => {
  const at = (given: Partial<Message>) => ({ ...seq(6), time: 1_000, ...given });
  const talk = [at({ sender: "a" }), at({ sender: "a" }), at({ sender: "b" }), at({ sender: "b", event: { title: "x" } }), at({ sender: "b" })];
  expect(talk.map((_, index) => place(talk, index)).map(({ first, last }) => [first, last])).toEqual([[true, false], [false, true], [true, true], [true, true], [true, true]]);
});

test("a message names who wrote it, by their nickname, and marks who is mentioned", () => {
  const { container } = row(seq(12));
  expect(container.querySelector(".sender")?.textContent).toBe("Maya");
  expect(container.querySelector(".mention.mine")?.textContent).toBe(`@${ME}`);
  cleanup();
  const own = row(seq(9)).container;
  expect(own.querySelector(".sender")).toBeNull();
  expect(own.querySelector(".mention")?.textContent, "by the nickname").toBe("@Tariq");
});

test("names and nicknames are never HTML", () => {
  const evil = { ...seq(12), sender: "<img src=x onerror=alert(1)>", text: "@<b>x</b>", mentions: ["<b>x</b>"] };
  const { container } = row(evil);
  expect(container.querySelector("img, b")).toBeNull();
});

test("what has happened is a line without a bubble", () => {
  const { container } = within(<EventRow message={seq(8)} />);
  expect(container.textContent).toBe("You invited kenji and Tariq");
  expect(container.querySelector(".bubble")).toBeNull();
});

describe("the composer of a group", () => {
  const field = () => screen.getByRole<HTMLTextAreaElement>("combobox");
  const type = (text: string) => {
    fireEvent.change(field(), { target: { value: text, selectionStart: text.length } });
    field().setSelectionRange(text.length, text.length);
    fireEvent.select(field());
  };
  const compose = (role: "member" | "owner" = "owner") =>
    within(<Composer user={TEAM} group={{ ...group(), role }} timeline={timeline()} intent={undefined} onIntent={nothing} />);

  test("offers members behind @, and everybody to those who lead", () => {
    compose();
    type("Thanks @");
    expect(screen.getAllByRole("option")[0]?.textContent).toContain("everybody");
    type("Thanks @ma");
    expect(screen.getAllByRole("option").map((option) => option.textContent)).toEqual(["MMayaMaya.Okafor"]);
    expect(field().getAttribute("aria-activedescendant")).toBe(screen.getByRole("option").id);
    cleanup();
    compose("member");
    type("@");
    expect(screen.queryByText("everybody")).toBeNull();
  });

  test("completes a name by keys and sends to whom it speaks", async () => {
    const send = vi.spyOn(client, "send");
    compose();
    type("@ma");
    fireEvent.keyDown(field(), { key: "Enter" });
    expect(field().value).toBe("@Maya ");
    expect(send, "Enter has chosen a name").not.toHaveBeenCalled();
    type("@Maya and @everybody, done");
    fireEvent.keyDown(field(), { key: "Enter" });
    await waitFor(() => expect(send).toHaveBeenCalledWith(TEAM, "@Maya and @everybody, done", { mentions: ["Maya.Okafor"], mentionAll: true }));
  });

  test("closes the list on Escape and writes on", () => {
    compose();
    type("@");
    fireEvent.keyDown(field(), { key: "Escape" });
    expect(screen.queryByRole("listbox")).toBeNull();
    type("@m");
    expect(screen.queryByRole("listbox"), "this name is written by hand").toBeNull();
    type("by hand @m");
    expect(screen.queryByRole("listbox")).not.toBeNull();
  });
});

test("says why nobody can write", () => {
  const why = (change: object, mute: Parameters<typeof GroupNote>[0]["mute"]) => {
    const { container } = within(<GroupNote group={{ ...group(), ...change }} mute={mute} />);
    const text = container.textContent;
    cleanup();
    return text;
  };
  expect(why({ left: true }, undefined)).toBe(en.leftNote);
  expect(why({ dissolved: true }, undefined)).toBe(en.dissolvedNote);
  expect(why({}, "all")).toBe(en.mutedAllNote);
  expect(why({}, { until: Date.now() + 60_000 })).toContain("You may not write here until");
});

test("members are read again when the list has another version, and refusals are told in words of groups", async () => {
  await act(() => client.groups.invite(client, "release-team", ["Amara.N"]));
  await waitFor(() => expect(chat.people.get()?.members.get().has("Amara.N")).toBe(true));
  await chat.act(() => Promise.reject({ code: "not_allowed", text: "", retryable: false, retryAfterMs: 0 }));
  expect(chat.toast.get()).toMatchObject({ text: "not_allowed", ofGroup: true });
});

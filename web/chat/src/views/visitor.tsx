/** What the chat shows of visitors: who they are, where their conversation goes on, and what an account said as one. */
import type { Conversation, Visitor } from "@hongyan/sdk";
import { called, idOf } from "../model/names.js";
import { shortOf } from "../model/place.js";
import { go } from "../model/route.js";
import { useSpeech } from "../words/speech.js";
import { Icon } from "./icons.js";
import { useChat, useSignal } from "./watch.js";

/** One line about a visitor, in the head of the conversation. */
export function VisitorLine({ visitor }: { visitor: Visitor }) {
  const { words, clock } = useSpeech();
  const { visits, firstVisit, lastVisit, page, referrer } = visitor;
  const facts = [words.visit(visits)];
  if (page) facts.push(words.onPage(shortOf(page)));
  if (visits > 1) facts.push(words.lastVisit(clock.brief(lastVisit)));
  if (referrer) facts.push(words.fromPage(shortOf(referrer, true)));
  return (
    <p className="visitor-line" title={[page, referrer, clock.full(firstVisit)].filter(Boolean).join("\n")}>
      <bdi>{facts.join(" · ")}</bdi>
    </p>
  );
}

/** In the place of the composer, where nothing can be said any more. */
export function ReadOnlyNote({ conversation }: { conversation: Conversation }) {
  const { words } = useSpeech();
  const { user, visitor, asVisitor } = conversation;
  const goesOnWith = asVisitor === undefined ? visitor?.account : user;
  return (
    <div className="composer blocked" role="status">
      <p>{asVisitor === undefined ? words.claimedNote(goesOnWith ?? "") : words.asVisitorNote(user)}</p>
      {goesOnWith !== undefined && (
        <button type="button" className="button quiet" onClick={() => go(goesOnWith)}>
          {words.goOnWith(goesOnWith)}
        </button>
      )}
    </div>
  );
}

/** In a conversation that has a past with a visitor in it: the way there. */
export function Earlier({ id, user }: { id: string; user: string }) {
  const { words } = useSpeech();
  const conversations = useSignal(useChat().conversations);
  const earlier = conversations.find((known) => (known.asVisitor !== undefined && known.user === user) || known.visitor?.account === user);
  if (!earlier || idOf(earlier) === id) return null;
  return (
    <div className="earlier">
      <Icon name="globe" size={18} />
      <span>{earlier.asVisitor === undefined ? words.earlierTheirs(called(user, words)) : words.earlierOwn}</span>
      <button type="button" className="text-button" onClick={() => go(idOf(earlier))}>
        {words.showEarlier}
      </button>
    </div>
  );
}

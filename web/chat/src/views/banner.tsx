/** Says how the connection is, if it is not simply there. Short interruptions are not worth a word. */
import type { Link } from "@hongyan/sdk";
import { useEffect, useState } from "react";
import { useSpeech } from "../words/speech.js";
import { Icon } from "./icons.js";
import { Spinner } from "./parts.js";
import { useChat, useSignal } from "./watch.js";

/** A link that comes back sooner than this was never spoken of. */
const PATIENCE_MS = 1_200;

export function Banner() {
  const link = useSignal(useChat().link);
  const offline = useOffline();
  const troubled = link.state !== "live";
  const [shown, setShown] = useState(false);

  useEffect(() => {
    const timer = setTimeout(() => setShown(troubled), troubled && !offline ? PATIENCE_MS : 0);
    return () => clearTimeout(timer);
  }, [troubled, offline]);

  return (
    <div className={`banner ${shown ? "shown" : ""}`} role="status">
      {shown && (offline ? <Offline /> : <Trouble link={link} />)}
    </div>
  );
}

function Offline() {
  const { words } = useSpeech();
  return (
    <>
      <Icon name="warning" size={18} />
      {words.offline}
    </>
  );
}

function Trouble({ link }: { link: Link }) {
  const { words } = useSpeech();
  const seconds = useSecondsUntil(link.state === "broken" ? link.retryAt : undefined);
  if (link.state === "broken" && seconds > 0) {
    return (
      <>
        <Icon name="warning" size={18} />
        {/* Counting aloud would drown everything else. */}
        <span aria-hidden="true">{words.retryIn(seconds)}</span>
        <span className="unseen">{words.problems.offline}</span>
      </>
    );
  }
  return (
    <>
      <Spinner />
      {link.state === "broken" ? words.reconnecting : words.connecting}
    </>
  );
}

function useSecondsUntil(at: number | undefined): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (at === undefined) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [at]);
  return at === undefined ? 0 : Math.max(0, Math.ceil((at - now) / 1_000));
}

function useOffline(): boolean {
  const [offline, setOffline] = useState(!navigator.onLine);
  useEffect(() => {
    const follow = () => setOffline(!navigator.onLine);
    addEventListener("online", follow);
    addEventListener("offline", follow);
    return () => {
      removeEventListener("online", follow);
      removeEventListener("offline", follow);
    };
  }, []);
  return offline;
}

/** What the person sees as a whole: still starting, the sign-in page, or the chat. */
import type { StopReason } from "@hongyan/sdk";
import { useEffect, useRef, useState } from "react";
import type { Connection } from "../connect.js";
import { Chat } from "../model/chat.js";
import { followNotices } from "../model/notices.js";
import { Speaking, useSpeech } from "../words/speech.js";
import { ChatScreen } from "./chat-screen.js";
import { Logo } from "./icons.js";
import { SignIn } from "./sign-in.js";
import { ChatContext } from "./watch.js";

export function App({ connect }: { connect: () => Promise<Connection | undefined> }) {
  return (
    <Speaking>
      <Start connect={connect} />
    </Speaking>
  );
}

type Stage = { at: "starting" } | { at: "away" } | { at: "sign-in"; reason?: StopReason } | { at: "chat"; user: string };

function Start({ connect }: { connect: () => Promise<Connection | undefined> }) {
  const { words } = useSpeech();
  const [connection, setConnection] = useState<Connection>();
  const [stage, setStage] = useState<Stage>({ at: "starting" });
  const begun = useRef(false);

  const begin = async () => {
    setStage({ at: "starting" });
    const found = await connect();
    if (!found) return setStage({ at: "away" });
    const { client } = found;
    setConnection(found);
    client.on("signedIn", ({ user }) => setStage({ at: "chat", user }));
    client.on("link", (link) => {
      if (link.state !== "stopped") return;
      // While signing in, the form says itself what went wrong.
      setStage((now) => (now.at === "sign-in" ? now : { at: "sign-in", ...(link.reason ? { reason: link.reason } : {}) }));
    });
    if (!(await client.start())) setStage((now) => (now.at === "starting" ? { at: "sign-in" } : now));
    else if (client.user !== undefined) setStage({ at: "chat", user: client.user });
  };

  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    void begin();
  });

  if (stage.at === "chat" && connection) return <SignedIn key={stage.user} connection={connection} user={stage.user} />;
  if (stage.at === "sign-in" && connection) return <SignIn connection={connection} reason={stage.reason} />;
  return (
    <main className="splash">
      <Logo size={72} />
      {stage.at === "away" && (
        <div role="alert" className="splash-note">
          <p>{words.serverAway}</p>
          <button type="button" className="button" onClick={() => void begin()}>
            {words.tryAgain}
          </button>
        </div>
      )}
    </main>
  );
}

function SignedIn({ connection, user }: { connection: Connection; user: string }) {
  const { words } = useSpeech();
  const [chat, setChat] = useState<Chat>();
  const spoken = useRef(words);
  spoken.current = words;

  useEffect(() => {
    const begun = new Chat(connection.client, user, connection.groups);
    begun.begin();
    const quiet = followNotices(begun, () => spoken.current);
    setChat(begun);
    return () => {
      quiet();
      begun.stop();
    };
  }, [connection, user]);

  return chat ? (
    <ChatContext value={chat}>
      <ChatScreen />
    </ChatContext>
  ) : null;
}

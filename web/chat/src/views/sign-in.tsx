/** Signing in and signing up. Says at once what is wrong with a name or password, and never clears what was typed. */
import type { StopReason } from "@hongyan/sdk";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import type { Connection } from "../connect.js";
import { claimOwnVisitor } from "../model/claim.js";
import { bytesOf, isName, NAME_CHARACTERS_MAX, PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN } from "../model/names.js";
import { setPref } from "../model/prefs.js";
import { signUp } from "../model/server.js";
import type { Words } from "../words/en.js";
import { problem, useSpeech } from "../words/speech.js";
import { Icon, Logo } from "./icons.js";
import { IconButton, Spinner } from "./parts.js";

interface Fault {
  field?: "user" | "password";
  text: string;
}

export function SignIn({ connection, reason }: { connection: Connection; reason: StopReason | undefined }) {
  const { words, language } = useSpeech();
  const { client, server } = connection;
  const [creating, setCreating] = useState(false);
  const [user, setUser] = useState(client.user ?? "");
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Fault>();
  const id = useId();
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    if (fault?.field) form.current?.querySelector<HTMLInputElement>(`[name=${fault.field}]`)?.focus();
  }, [fault]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    const wrong = check(user, password, creating, words);
    setFault(wrong);
    if (wrong) return;
    setBusy(true);
    try {
      if (creating) await signUp(server.app, user, password);
      await client.signIn({ user, password });
      void claimOwnVisitor(client, server.app);
    } catch (error) {
      setFault(explain(error, creating, words));
      setBusy(false);
    }
  };

  const switchTo = (next: boolean) => {
    setCreating(next);
    setFault(undefined);
  };

  return (
    <main className="sign-in">
      <section className="sign-in-card">
        <div className="sign-in-brand">
          <span className="sign-in-mark">
            <Logo size={46} />
          </span>
          <h1>{words.name}</h1>
          <p>{words.tagline}</p>
        </div>
        {reason && !fault && !busy && <p className="sign-in-reason">{ended(reason, words)}</p>}
        <form ref={form} onSubmit={(event) => void submit(event)} noValidate aria-describedby={fault ? `${id}-fault` : undefined}>
          <h2>{creating ? words.signUpLead : words.signInLead}</h2>
          <label className="field" htmlFor={`${id}-user`}>
            <span>{words.userName}</span>
            <input
              id={`${id}-user`}
              name="user"
              value={user}
              onChange={(event) => setUser(event.target.value.trim())}
              maxLength={NAME_CHARACTERS_MAX}
              autoComplete="username"
              autoCapitalize="none"
              autoCorrect="off"
              spellCheck={false}
              autoFocus
              aria-invalid={fault?.field === "user"}
            />
            {creating && <small>{words.nameRule}</small>}
          </label>
          <label className="field" htmlFor={`${id}-password`}>
            <span>{words.password}</span>
            <span className="field-box">
              <input
                id={`${id}-password`}
                name="password"
                type={shown ? "text" : "password"}
                value={password}
                onChange={(event) => setPassword(event.target.value)}
                autoComplete={creating ? "new-password" : "current-password"}
                aria-invalid={fault?.field === "password"}
              />
              <IconButton icon={shown ? "eyeOff" : "eye"} label={shown ? words.hidePassword : words.showPassword} aria-pressed={shown} size={20} onClick={() => setShown(!shown)} />
            </span>
            {creating && <small>{words.passwordRule}</small>}
          </label>
          <div className="sign-in-fault" id={`${id}-fault`} role="alert">
            {fault && (
              <>
                <Icon name="warning" size={18} />
                {fault.text}
              </>
            )}
          </div>
          <button type="submit" className="button wide" aria-busy={busy} disabled={busy}>
            {busy && <Spinner />}
            {busy ? words.working : creating ? words.signUp : words.signIn}
          </button>
        </form>
        {server.signUp && (
          <p className="sign-in-switch">
            {creating ? words.signInSwitch : words.signUpSwitch}{" "}
            <button type="button" className="text-button" onClick={() => switchTo(!creating)}>
              {creating ? words.signIn : words.signUp}
            </button>
          </p>
        )}
      </section>
      <button type="button" className="text-button sign-in-language" lang={language === "zh" ? "en" : "zh-CN"} onClick={() => setPref("language", language === "zh" ? "en" : "zh")}>
        <Icon name="globe" size={18} />
        {language === "zh" ? "English" : "中文"}
      </button>
    </main>
  );
}

/** What can be said without asking the server. An old account's password is not judged by today's rule. */
function check(user: string, password: string, creating: boolean, words: Words): Fault | undefined {
  if (!isName(user)) return { field: "user", text: words.nameBad };
  if (creating && bytesOf(password) < PASSWORD_BYTES_MIN) return { field: "password", text: words.passwordShort };
  if (password === "") return { field: "password", text: words.passwordShort };
  if (bytesOf(password) > PASSWORD_BYTES_MAX) return { field: "password", text: words.passwordLong };
  return undefined;
}

function explain(error: unknown, creating: boolean, words: Words): Fault {
  const code = typeof error === "string" ? error : ((error as { code?: string } | undefined)?.code ?? "other");
  if (code === "offline") return { text: words.serverAway };
  if (code === "unauthenticated") return { field: "password", text: words.wrongCredential };
  if (creating && (code === "conflict" || code === "exists")) return { field: "user", text: words.nameTaken };
  if (creating && code === "not_allowed") return { text: words.signUpClosed };
  if (creating && (code === "invalid" || code === "invalid_argument")) return { field: "user", text: words.nameBad };
  return { text: problem(code, words) };
}

function ended(reason: StopReason, words: Words): string {
  switch (reason.kind) {
    case "signed-out":
      return words.endedSignedOut;
    case "kicked":
      return words.endedKicked(reason.byTerm);
    case "revoked":
      return words.endedRevoked;
    case "refused":
      return words.endedRefused(reason.refusal.text);
    case "unsupported":
      return words.unsupportedBrowser;
  }
}

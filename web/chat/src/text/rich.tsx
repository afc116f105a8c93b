/** Draws what `parse` found. React makes text nodes of every string; there is no other way into the page from here. */
import { memo } from "react";
import { stretches } from "../model/mentions.js";
import { parse } from "./parse.js";

/** Names that are mentioned in a text, and whether it is the reader's. */
type Mentioned = ReadonlyMap<string, boolean> | undefined;

export const Rich = memo(function Rich({ text, mentioned }: { text: string; mentioned?: Mentioned }) {
  return parse(text).map((piece, index) => {
    switch (piece.kind) {
      case "link":
        return (
          <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer" dir="ltr">
            {piece.text}
          </a>
        );
      case "code":
        return (
          <code key={index} className="code" dir="ltr">
            {piece.text}
          </code>
        );
      case "block":
        return (
          <pre key={index} className="block" dir="ltr" tabIndex={0}>
            <code>{piece.text}</code>
          </pre>
        );
      case "text":
        return mentioned ? <Plain key={index} text={piece.text} mentioned={mentioned} /> : <span key={index}>{piece.text}</span>;
    }
  });
});

function Plain({ text, mentioned }: { text: string; mentioned: NonNullable<Mentioned> }) {
  return stretches(text, [...mentioned.keys()]).map(({ text, name }, index) => (
    <span key={index} className={name === undefined ? undefined : mentioned.get(name) ? "mention mine" : "mention"}>
      {text}
    </span>
  ));
}

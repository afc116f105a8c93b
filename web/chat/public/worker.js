// Keeps the chat's own files, so that it opens without a network. The page itself is asked for at the server first, always,
// so an update is there with the next reload; files under assets/ never change under their names. Nothing else is touched:
// no message, nothing under /v1, no widget, no demo. Messages are kept by the SDK.

const CACHE = "hongyan-chat";
/** The newest are kept; an older page that is still open may want those of the version before. */
const ASSETS_MAX = 60;
/** A network that gives no page in so long is as good as none, if there is a page here. */
const PATIENCE_MS = 4_000;

const PAGE = self.registration.scope;
const ASSETS = new URL("assets/", PAGE).href;

self.addEventListener("install", (event) => {
  // It has no state that an older worker could hold.
  void self.skipWaiting();
  event.waitUntil(pageOfServer((work) => work).catch(() => undefined));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET") return;
  if (request.mode === "navigate" && origin + pathname === PAGE) event.respondWith(page(event));
  else if (request.url.startsWith(ASSETS)) event.respondWith(asset(request.url));
});

async function page(event) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(PAGE);
  const fresh = pageOfServer((work) => event.waitUntil(work));
  // Whoever takes the kept one does not hear of it.
  fresh.catch(() => undefined);
  if (!kept) return fresh;
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, kept));
  return Promise.race([fresh, late]).catch(() => kept);
}

/** Keeps what it gets, and what that needs. A server that is failing is no server. */
async function pageOfServer(later) {
  const response = await fetch(PAGE, { cache: "no-cache" });
  if (response.status >= 500) throw new Error(`the server answers ${response.status}`);
  if (response.ok) {
    const copy = response.clone();
    await later(keep(copy.clone(), await copy.text()).catch(() => undefined));
  }
  return response;
}

async function keep(response, html) {
  // First what it needs: a page that is kept can be shown.
  for (const [, name] of html.matchAll(/["']\.?\/?(assets\/[\w.-]+)["']/g)) await withParts(new URL(name, PAGE).href, new Set());
  const cache = await caches.open(CACHE);
  await cache.put(PAGE, response);
  const kept = (await cache.keys()).filter(({ url }) => url.startsWith(ASSETS));
  for (const { url } of kept.slice(0, Math.max(0, kept.length - ASSETS_MAX))) await cache.delete(url);
}

/** A file, and of a script those that it loads when it needs them. */
async function withParts(url, seen) {
  if (seen.has(url)) return;
  seen.add(url);
  const response = await asset(url);
  if (!response.ok || !url.endsWith(".js")) return;
  const script = await response.text();
  for (const [, name] of script.matchAll(/["'`]\.\/([\w.-]+\.(?:js|css))["'`]/g)) await withParts(new URL(name, ASSETS).href, seen);
}

async function asset(url) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(url);
  if (kept) return kept;
  const response = await fetch(url);
  if (response.ok) await cache.put(url, response.clone()).catch(() => undefined);
  return response;
}

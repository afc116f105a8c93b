// Puts the widget on the page for the account named in the address, as a real shop does it with one line of HTML.
const asked = new URLSearchParams(location.search);
const merchant = asked.get("merchant");

if (merchant) {
  const script = document.createElement("script");
  script.async = true;
  script.src = "/widget.js";
  Object.assign(script.dataset, {
    merchant,
    app: asked.get("app") ?? "default",
    title: asked.get("title") ?? "Oak & Leaf",
    ...(asked.has("greeting") ? { greeting: asked.get("greeting") } : {}),
    ...(asked.has("language") ? { language: asked.get("language") } : {}),
    ...(asked.has("color") ? { color: `#${asked.get("color")}` } : {}),
  });
  document.head.append(script);
} else document.getElementById("setup").hidden = false;

/** Where the page begins: finds the client (the real one, or the demo's) and draws the application. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { connect } from "./connect.js";
import { followTheme } from "./model/prefs.js";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/sign-in.css";
import "./styles/sidebar.css";
import "./styles/pane.css";
import "./styles/message.css";
import "./styles/composer.css";
import "./styles/group.css";
import { App } from "./views/app.js";

followTheme();

const root = document.getElementById("root");
if (!root) throw new Error("index.html has #root");
createRoot(root).render(
  <StrictMode>
    <App connect={connect} />
  </StrictMode>,
);

// From the next visit on the chat opens without a network, too (public/worker.js).
if (import.meta.env.PROD && import.meta.env.MODE !== "demo" && "serviceWorker" in navigator) {
  addEventListener("load", () => void navigator.serviceWorker.register("./worker.js").catch(() => undefined));
}

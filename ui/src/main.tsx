import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@mantine/core/styles.layer.css";
import "@mantine/notifications/styles.layer.css";
import "./theme.css";
import { App } from "./app.tsx";

history.scrollRestoration = "manual"; // pages begin at their top, and the library where it was left

// A page that stayed open while Renoir was updated asks for parts that are no longer there: loaded anew, it has the new ones.
const RELOADED = "renoir-reloaded";
const RELOAD_MS = 10_000; // twice in so short a time, something else is wrong, and the page says so
window.addEventListener("vite:preloadError", (event) => {
  if (Date.now() - Number(sessionStorage.getItem(RELOADED)) < RELOAD_MS) return;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  event.preventDefault();
  location.reload();
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

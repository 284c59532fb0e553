import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@mantine/core/styles.layer.css";
import "@mantine/notifications/styles.layer.css";
import "./theme.css";
import { App } from "./app.tsx";

history.scrollRestoration = "manual"; // pages begin at their top, and the library where it was left

// A page that stayed open while Renoir was updated asks for parts that are no longer there: the new page has its own.
const RELOAD_MS = 10_000; // twice in so short a time, something else is wrong, and the page says so
window.addEventListener("vite:preloadError", () => {
  if (performance.now() > RELOAD_MS) location.reload();
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

// The web page. `npx vite -c ui/vite.config.ts ui` serves it from its sources, in front of a running Renoir at RENOIR_URL.

import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv } from "vite";

export default defineConfig(({ mode }) => {
  const { RENOIR_URL = "http://127.0.0.1:7861" } = loadEnv(mode, ".", "RENOIR_");
  const server = { target: RENOIR_URL, changeOrigin: true, rewriteWsOrigin: true };
  return {
    root: import.meta.dirname,
    base: "./", // the server says where the page lies: see page.ts
    plugins: [react()],
    build: {
      outDir: "../dist/ui",
      emptyOutDir: true,
      target: ["chrome123", "firefox128", "safari17.5"], // of 2024: they know light-dark() and nested rules, which older ones get wrong when translated
      assetsInlineLimit: 0, // the content security policy lets nothing be inlined
    },
    server: { proxy: { "/api": server, "/docs": server, "/socket.io": { ...server, ws: true } } },
  };
});

// npm run test:hosts -- --comfyui URL --forge URL: tests against hosts that are already running, with Renoir's plugin in them.
// What is not named is skipped. Nothing here sets up a host.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { comfyui: { type: "string" }, forge: { type: "string" } } });
if (!values.comfyui && !values.forge) {
  console.error(
    "No host was named. Start one with Renoir's plugin in it, then: npm run test:hosts -- --comfyui http://127.0.0.1:8188",
  );
  process.exit(2);
}
const env = {
  ...process.env,
  ...(values.comfyui && { RENOIR_COMFYUI: values.comfyui.replace(/\/$/, "") }),
  ...(values.forge && { RENOIR_FORGE: values.forge.replace(/\/$/, "") }),
};
const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
const config = fileURLToPath(new URL("vitest.config.ts", import.meta.url));
const child = spawn(process.execPath, [vitest, "run", "--config", config], { stdio: "inherit", env });
child.on("exit", (code) => process.exit(code ?? 1));

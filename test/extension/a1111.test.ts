// The WebUI plugin's Python, run by Python's own unittest in a few lines of a host, against a real server with the built-in reward.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningServer, startServer } from "../../src/server/start.ts";

const folder = fileURLToPath(new URL("a1111", import.meta.url));
const python = ["python3", "python"].find((name) =>
  /^3\.(9|\d\d)/.test(
    spawnSync(name, ["-c", "import platform; print(platform.python_version())"], { encoding: "utf8" }).stdout ?? "",
  ),
);
if (!python) console.warn("SKIPPED: the WebUI plugin's own tests need Python 3.9 or later, and there is none here.");

let home: string;
let server: RunningServer;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "renoir a1111 "));
  server = await startServer({ port: 0, home, demo: null });
});

afterAll(async () => {
  await server.close();
  rmSync(home, { recursive: true, force: true });
});

/** Not spawnSync: this process is the server that the tests ask. */
async function unittest(args: string[], environment: Record<string, string> = {}) {
  const child = spawn(python!, ["-B", "-m", "unittest", ...args], {
    cwd: folder,
    env: { ...process.env, RENOIR_TEST_SERVER: server.url, ...environment },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  const code = await new Promise((ended) => child.on("close", ended));
  return { code, said };
}

const ran = (said: string) => Number(/^Ran (\d+) tests/m.exec(said)?.[1]);

test.skipIf(!python)("the plugin's parts and hooks", { timeout: 60_000 }, async () => {
  const { code, said } = await unittest(["discover", "-s", "."]);
  expect(code, said).toBe(0);
  expect(ran(said)).toBeGreaterThan(40);
});

test.skipIf(!python)("the hooks where a host has none after its composite", { timeout: 60_000 }, async () => {
  const { code, said } = await unittest(["test_hooks.Scoring"], { HOST_WITHOUT_COMPOSITE: "1" });
  expect(code, said).toBe(0);
  expect(ran(said)).toBeGreaterThan(5);
});

// ComfyUI's nodes without ComfyUI: their Python, run by Python's own unittest against a real server with the built-in reward.

import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { manifest } from "../../src/extension/manifest.ts";
import { readMetadata, withScores } from "../../src/metadata/index.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";

const plugin = fileURLToPath(new URL("../../src/extension/hosts/comfyui", import.meta.url));
const tests = fileURLToPath(new URL("comfyui", import.meta.url));
const isPython = (name: string) => /^3\.(9|\d\d)/.test(version(name));
const version = (name: string) =>
  spawnSync(name, ["-c", "import platform; print(platform.python_version())"], { encoding: "utf8" }).stdout ?? "";
const python = ["python3", "python"].find(isPython);
if (!python) console.warn("SKIPPED: the tests of ComfyUI's nodes need Python 3.9 or later, and there is none here.");

let home: string;
let plain: string;
let server: RunningServer;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "renoir comfyui "));
  plain = join(home, "plain.png");
  await sharp({ create: { width: 2, height: 2, channels: 3, background: "red" } })
    .png()
    .toFile(plain);
  server = await startServer({ port: 0, home: join(home, "home"), demo: null });
});

afterAll(async () => {
  await server.close();
  await rm(home, { recursive: true, force: true });
});

/** Not spawnSync: this process is the server that the tests ask. */
async function run(args: string[], cwd: string) {
  const env = { ...process.env, RENOIR_TEST_SERVER: server.url, RENOIR_TEST_PLAIN_PNG: plain };
  const child = spawn(python!, ["-B", ...args], { cwd, env });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  const code = await new Promise((ended) => child.on("close", ended));
  return { code, said };
}

test.skipIf(!python)("what the nodes promise, choose and ask", { timeout: 120_000 }, async () => {
  const { code, said } = await run(["-m", "unittest", "test_nodes"], tests);
  expect(code, said).toBe(0);
  expect(Number(/^Ran (\d+) tests/m.exec(said)?.[1])).toBeGreaterThan(14);
});

/** Halves, whole numbers, below zero, nearly nothing: what two languages may spell in two ways. */
const scores = [0.5812, -1.25, 2, 0.00005, 0.00015, -0.00001, 12.34565, 1 / 3];

test.skipIf(!python)("a score is written as Renoir's own writer writes it, byte for byte", async () => {
  const script = [
    "import json, sys",
    "sys.path[:0] = [sys.argv[1], sys.argv[1] + '/a1111']",
    "from comfyui.renoir_nodes import with_scores",
    "data = open(sys.argv[2], 'rb').read()",
    "for i, score in enumerate(json.loads(sys.argv[4])):",
    "    open(f'{sys.argv[3]}/{i}.png', 'wb').write(with_scores(data, {'Shapes': score, 'ImageReward': -score}))",
  ].join("\n");
  const { code, said } = await run(["-c", script, join(plugin, ".."), plain, home, JSON.stringify(scores)], home);
  expect(code, said).toBe(0);
  for (const [i, score] of scores.entries()) {
    const ours = await readFile(join(home, `${i}.png`));
    const wanted = await withScores(await readFile(plain), { Shapes: score, ImageReward: -score });
    expect(ours.equals(wanted), `${score}`).toBe(true);
    expect((await readMetadata(ours)).warnings).toEqual([]);
  }
});

test("the registry is told what the manifest says", async () => {
  const toml = await readFile(join(plugin, "pyproject.toml"), "utf8");
  const said = (key: string) => new RegExp(`^${key} = (.*)$`, "m").exec(toml)?.[1];
  expect(JSON.parse(said("version")!)).toBe(manifest.version);
  expect(JSON.parse(said("name")!)).toBe(manifest.id);
  expect(said("license")).toContain(manifest.license);
  expect(said("dependencies")).toBe("[]");
});

/** What a copy must have beside it. */
test("all that the nodes have in common with another plugin is named in the manifest", async () => {
  const { shared } = manifest.hosts.find(({ id }) => id === "comfyui")!;
  const names = shared!.files.flatMap((file) => /^(renoir_\w+)\.py$/.exec(file)?.[1] ?? []);
  const folders = [plugin, fileURLToPath(new URL(`../../${shared!.source}`, import.meta.url))];
  const own = await readdir(folders[0]!);
  for (const [folder, files] of [
    [folders[0]!, own.filter((file) => file.endsWith(".py"))],
    [folders[1]!, names.map((name) => `${name}.py`)],
  ] as const) {
    for (const file of files) {
      const text = await readFile(join(folder, file), "utf8");
      for (const [, name] of text.matchAll(/^(?:from|import) (renoir_\w+)/gm))
        expect(names, `${file}: ${name}`).toContain(name);
    }
  }
});

import { execFile } from "node:child_process";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { freshFolder, picture } from "../cli/command.ts";
import { read, root } from "../house/sources.ts";

const execute = promisify(execFile);
const page = read("docs/api.md");
const blocks = [...page.matchAll(/^```(sh|js|json)\n([\s\S]*?)^```/gm)].map(([, kind, text]) => ({
  kind: kind!,
  text: text!,
}));

let server: RunningServer;
let folder: string;

beforeAll(async () => {
  folder = await freshFolder();
  await writeFile(join(folder, "circle.png"), await picture("red", "a red circle"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  server = await startServer({ port: 0, home: await freshFolder(), demo: null, folders: [folder] });
  const { library } = server.services;
  const scored = new Promise((resolve) => library.once("scored", resolve)); // unasked, as new pictures are
  await library.scan();
  await scored;
}, 60_000);
afterAll(() => server?.close());

const here = (text: string) => text.replaceAll("http://127.0.0.1:7861", server.url);
const shell = (text: string) => execute("bash", ["-euc", here(text)], { cwd: folder });

/** Every name in it, with its way: results[].scores.Shapes. */
function names(value: unknown, way = ""): string[] {
  if (Array.isArray(value)) return value.slice(0, 1).flatMap((item) => names(item, `${way}[]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [`${way}.${name}`, ...names(inner, `${way}.${name}`)]);
}

const requests = blocks.filter(({ kind, text }) => kind === "sh" && text.startsWith("curl"));

test.each(requests.map(({ text }) => [text.split("\n")[0]!, text]))("%s", { timeout: 60_000 }, async (_name, text) => {
  const { stdout } = await shell(text);
  const next = blocks[blocks.findIndex((block) => block.text === text) + 1]!;
  expect(next.kind).toBe("json");
  const found = names(JSON.parse(stdout));
  expect(names(JSON.parse(next.text)).filter((name) => !found.includes(name))).toEqual([]);
});

test("the socket's example follows a refine to its end", { timeout: 120_000 }, async () => {
  await writeFile(join(folder, "follow.mjs"), here(blocks.find(({ kind }) => kind === "js")!.text));
  const { stdout } = await execute(process.execPath, ["follow.mjs"], { cwd: folder });
  expect(stdout).toMatch(
    /^0 \{ Shapes: -?\d.*\n1 \{ Shapes: [\s\S]*before \{ Shapes: .* \} after \{ Shapes: .* \}\nhttp:\S+result\.png\n$/,
  );
});

test("the export of the example is a table", async () => {
  expect((await readFile(join(folder, "scores.csv"), "utf8")).split("\r\n")[1]).toContain("circle.png");
});

test("the page has examples", () => {
  expect(requests.length).toBeGreaterThanOrEqual(7);
});

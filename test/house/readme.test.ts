import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { createProgram } from "../../src/cli/index.ts";
import { read, root, sources } from "./sources.ts";

const manifest = JSON.parse(read("package.json"));
const pages = [
  "README.md",
  "CHANGELOG.md",
  "docs/how-it-works.md",
  "docs/api.md",
  "docs/adding-an-op.md",
  "docs/adding-a-model.md",
  "docs/adding-a-reward.md",
  "docs/adding-a-host.md",
  "docs/hosts/README.md",
  "docs/hosts/installing.md",
  "docs/hosts/gateway.md",
  "docs/pitfalls.md",
  "docs/efficacy.md",
  "docs/fidelity.md",
];

/** The command lines of a page: those of its shell blocks, and those in running text that begin with npm or renoir. */
function commandsIn(page: string): string[] {
  const text = read(page);
  const blocks = [...text.matchAll(/^```(?:sh|bash)\n([\s\S]*?)^```/gm)].flatMap(([, block]) => block!.split("\n"));
  const inline = [...text.matchAll(/`((?:npm|npx|renoir) [^`\n]+)`/g)].map(([, command]) => command!);
  return [...blocks, ...inline].map((line) => line.replace(/\s+#.*/, "").trim()).filter((line) => line !== "");
}

const words = (command: string) => command.split(/\s+/);

/** What is wrong with a command line, undefined where it would be understood. */
function problem(command: string): string | undefined {
  const [tool, ...rest] = words(command.replace(/^npx renoir\b/, "renoir"));
  if (tool === "renoir") return renoirProblem(rest);
  if (tool !== "npm") return undefined;
  const script = rest[0] === "run" ? rest[1] : rest[0];
  return ["install", "ci", "link"].includes(script!) || manifest.scripts[script!]
    ? undefined
    : `no npm script ${script}`;
}

function renoirProblem(args: string[]): string | undefined {
  let command = createProgram();
  for (const arg of args) {
    const inner = command.commands.find((candidate) => candidate.name() === arg);
    if (!inner) break;
    command = inner;
  }
  if (command.name() === "renoir" && args[0] && !args[0].startsWith("-")) return `no command renoir ${args[0]}`;
  const known = ["--help", ...command.options.map(({ long }) => long)];
  const unknown = args.filter((arg) => arg.startsWith("--") && !known.includes(arg.split("=")[0]!));
  return unknown.length === 0 ? undefined : `renoir ${command.name()} has no ${unknown.join(", ")}`;
}

test.each(pages)("%s: every command exists, with every option it is given", (page) => {
  const found = commandsIn(page).map((command) => ({ command, problem: problem(command) }));
  expect(found.filter(({ problem }) => problem !== undefined)).toEqual([]);
});

test.each(pages)("%s: every file and folder it refers to is there", (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(([, link]) => join(dirname(page), link!));
  const named = [...read(page).matchAll(/`((?:src|test|bin|docs|assets)\/[\w./-]*\w)`/g)].map(([, path]) => path!);
  const missing = [...links, ...named].filter((path) => !existsSync(join(root, normalize(path))));
  expect(missing).toEqual([]);
});

test("the README names the commands that set up, test and show the product", () => {
  const commands = commandsIn("README.md");
  expect(commands).toContain("npm test");
  expect(commands).toContain("npm run demo");
  expect(commands.filter((command) => command.includes("renoir score")).length).toBeGreaterThan(1);
});

test("the check sees commands and options that are not there", () => {
  expect(problem("npm run paint")).toBe("no npm script paint");
  expect(problem("renoir paint")).toBe("no command renoir paint");
  expect(problem("npx renoir score a.png --glitter")).toBe("renoir score has no --glitter");
  expect(problem("renoir models pull imagereward --json")).toBeUndefined();
});

test("manifest.json says what package.json says, and its entry exists", () => {
  const { id, version, license, engines, entry, description } = JSON.parse(read("manifest.json"));
  const { name, ...other } = manifest;
  expect({ id, version, license, engines, description }).toMatchObject({
    id: name,
    version: other.version,
    license: other.license,
    engines: other.engines,
    description: other.description,
  });
  expect(existsSync(join(root, entry))).toBe(true);
});

test("no source file is longer than a reader's patience", () => {
  const long = [...sources("src"), ...sources("test")].filter((file) => read(file).split("\n").length > 501);
  expect(long).toEqual([]);
});

import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { beforeEach, expect, test } from "vitest";
import { isInstalled, nodeProblem } from "../../bin/setup.mjs";
import { root } from "./sources.ts";

/** A small project with the real launcher, the real dependencies and one program, in a folder with spaces in its name. */
let folder: string;

const program = (text: string) =>
  `export function main(args: string[]): number { console.log(${text}); return args.length; }\n`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "renoir launch "));
  for (const name of ["bin", "package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, "src", "cli"), { recursive: true });
  writeFileSync(join(folder, "src", "cli", "index.ts"), program('"first", ...args'));
});

const command = () => join(folder, "bin", "renoir.mjs");
const renoir = (...args: string[]) => spawnSync(process.execPath, [command(), ...args], { encoding: "utf8" });

test("a checkout is built on first use, arguments reach the program, and its number is the exit status", () => {
  const { stdout, stderr, status } = renoir("a b", "c");
  expect(stdout).toBe("first a b c\n");
  expect(status).toBe(2);
  expect(stderr).toMatch(/^Building ...\nBuilding: done in \d+ s\n$/);
});

test("what is fresh is not built again; a source that changed is, and one that went is gone", () => {
  writeFileSync(join(folder, "src", "old.ts"), "export const old = 1;\n");
  renoir();
  expect(existsSync(join(folder, "dist", "old.js"))).toBe(true);
  expect(renoir()).toMatchObject({ stdout: "first\n", stderr: "" });
  writeFileSync(join(folder, "src", "cli", "index.ts"), program('"second"'));
  rmSync(join(folder, "src", "old.ts"));
  const { stdout, stderr } = renoir();
  expect(stdout).toBe("second\n");
  expect(stderr).toContain("Building");
  expect(existsSync(join(folder, "dist", "old.js"))).toBe(false);
});

test("the web page is built for who starts the server, again when its sources change, and outlives a new build", () => {
  mkdirSync(join(folder, "ui"));
  writeFileSync(join(folder, "ui", "index.html"), '<script type="module" src="/main.ts"></script>\n');
  writeFileSync(join(folder, "ui", "main.ts"), 'document.title = "first";\n');
  const config = 'export default { root: import.meta.dirname, build: { outDir: "../dist/ui", emptyOutDir: true } };\n';
  writeFileSync(join(folder, "ui", "vite.config.ts"), config);
  const page = join(folder, "dist", "ui", "index.html");
  const script = () =>
    readFileSync(join(folder, "dist", "ui", /src="\/([^"]+)"/.exec(readFileSync(page, "utf8"))![1]!), "utf8");
  expect(renoir("score").stderr).not.toContain("page");
  expect(renoir("start").stderr).toMatch(/^Building the web page ...\nBuilding the web page: done in \d+ s\n$/);
  expect(script()).toContain("first");
  expect(renoir("start").stderr).toBe("");

  writeFileSync(join(folder, "src", "cli", "index.ts"), program('"second"'));
  writeFileSync(join(folder, "ui", "main.ts"), 'document.title = "second";\n');
  expect(renoir("score").stderr).not.toContain("page");
  expect(script()).toContain("first");
  renoir("start");
  expect(script()).toContain("second");

  writeFileSync(join(folder, "ui", "main.ts"), "this is no program\n");
  const { stdout, stderr } = renoir("start");
  expect(stderr).toContain("can not be built");
  expect(stdout).toBe("second\n"); // the server runs all the same, with the page that was
  expect(script()).toContain("second");
});

test("four launchers at once all run, and one of them builds", async () => {
  const runs = [1, 2, 3, 4].map(
    () =>
      new Promise<{ output: string; errors: string }>((resolve) => {
        const child = spawn(process.execPath, [command()]);
        let output = "";
        let errors = "";
        child.stdout.on("data", (chunk) => (output += chunk));
        child.stderr.on("data", (chunk) => (errors += chunk));
        child.on("close", () => resolve({ output, errors }));
      }),
  );
  const ended = await Promise.all(runs);
  expect(ended.map(({ output }) => output)).toEqual(Array(4).fill("first\n"));
  expect(ended.filter(({ errors }) => errors.includes("Building: done"))).toHaveLength(1);
});

test("sources that do not compile are told with the compiler's words, and exit with 1", () => {
  writeFileSync(join(folder, "src", "cli", "index.ts"), 'export const n: number = "text";\n');
  const { stderr, status } = renoir();
  expect(status).toBe(1);
  expect(stderr).toContain("do not compile");
  expect(stderr).toContain("TS2322");
  expect(stderr).not.toContain("    at ");
});

test("an installed package, which has no sources, runs what it was published with", () => {
  renoir();
  rmSync(join(folder, "src"), { recursive: true });
  expect(renoir("x")).toMatchObject({ stdout: "first x\n", stderr: "", status: 1 });
  rmSync(join(folder, "dist"), { recursive: true });
  expect(renoir().stderr).toContain("has neither src/ nor dist/");
});

test("a task that is not there is named, beside the ones that are", () => {
  const { stderr, status } = spawnSync(process.execPath, [join(folder, "bin", "launch.mjs"), "paint"], {
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^There is no task "paint"\. The tasks are start, test, demo, bench, (?:[\w:]+, )*train:reward(?:, [\w:]+)*\.\n$/,
  );
});

test("a Node that is too old gets a sentence, and one that will do gets none", () => {
  expect(nodeProblem("v18.20.4")).toMatch(/^Renoir needs Node 20\.19 or later, and this is Node 18\.20\.4\. /);
  expect(nodeProblem("v20.18.3")).toContain("20.18.3");
  for (const version of ["v20.19.0", "v22.0.0", "v24.1.0"]) expect(nodeProblem(version)).toBeUndefined();
});

test("dependencies older than the lock file are noticed, and development tools count only where they are needed", () => {
  expect(isInstalled(folder, true)).toBe(true);
  rmSync(join(folder, "node_modules"));
  expect(isInstalled(folder, false)).toBe(false);
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  const needed = Object.entries<{ dev?: boolean; optional?: boolean }>(lock.packages);
  const production = Object.fromEntries(needed.filter(([path, { dev, optional }]) => path && !dev && !optional));
  mkdirSync(join(folder, "node_modules"));
  const present = (packages: object) =>
    writeFileSync(join(folder, "node_modules", ".package-lock.json"), JSON.stringify({ packages }));
  present(production);
  expect([isInstalled(folder, false), isInstalled(folder, true)]).toEqual([true, false]);
  present({ ...production, "node_modules/zod": { version: "0.0.1" } });
  expect(isInstalled(folder, false)).toBe(false);
});

// Gets a checkout ready to run: the Node it needs, the pinned dependencies, the build. Nothing here needs a package.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.mjs";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What stops the launcher, told in whole sentences and without a stack. */
export class SetupError extends Error {}

/** A sentence for a Node that is too old, undefined for one that will do. */
export function nodeProblem(version, wanted = wantedNode()) {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number);
  const [wantedMajor, wantedMinor] = wanted.split(".").map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined;
  return `Renoir needs Node ${wanted} or later, and this is Node ${version.replace(/^v/, "")}. Install a newer Node (20, 22 and 24 are long-term releases) and run the same command again.`;
}

function wantedNode() {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines.node.replace(/[^\d.]/g, "");
}

/**
 * Brings dependencies and build up to date; does nothing, in a few milliseconds, when they are.
 * `development`: the task itself needs the tools (tests, types, style), not only a build. `page`: it needs the web page too.
 */
export async function prepare(folder = root, { development = false, page = false } = {}) {
  if (!existsSync(join(folder, "src"))) return prepareInstalled(folder);
  const isPageStale = () => page && existsSync(join(folder, "ui")) && !isPageBuilt(folder);
  if (isBuilt(folder) && !isPageStale() && isInstalled(folder, development)) return;
  const waiting = () => say("Another launcher is setting this checkout up; waiting for it.");
  await withLock(
    join(folder, ".cache", "setup.lock"),
    async () => {
      const stale = !isBuilt(folder);
      const pageStale = isPageStale();
      if (!isInstalled(folder, development || stale || pageStale)) await install(folder);
      if (stale) await build(folder);
      if (pageStale) await buildPage(folder);
    },
    { onWait: waiting },
  );
}

/** An installed package has no sources: what it was published with is what runs. */
function prepareInstalled(folder) {
  if (!existsSync(join(folder, "dist"))) {
    throw new SetupError(
      `${folder} has neither src/ nor dist/: this copy of Renoir is incomplete. Install or clone it again.`,
    );
  }
}

// ---- dependencies

/** Whether every package of the lock file lies in node_modules at its pinned version, as npm's own list there says. */
export function isInstalled(folder, development) {
  const lock = readPackages(join(folder, "package-lock.json"));
  const present = readPackages(join(folder, "node_modules", ".package-lock.json"));
  if (!lock) return present !== undefined;
  if (!present) return false;
  // Optional packages belong to one platform each; npm lists only those it installed.
  const needed = Object.entries(lock).filter(([path, entry]) => path && !entry.optional && (development || !entry.dev));
  return needed.every(([path, entry]) => present[path] && present[path].version === entry.version);
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

async function install(folder) {
  const { command, args, shell } = npm();
  const done = progress("Installing the pinned dependencies (once; about a minute on a fast line)");
  // Development tools are needed to build, also where NODE_ENV=production would leave them out.
  const flags = ["ci", "--ignore-scripts", "--include=dev", "--include=optional", "--no-audit", "--no-fund"];
  const { code, output } = await run(command, [...args, ...flags], {
    cwd: folder,
    shell,
    // Scripts are ignored already; this says it to onnxruntime-node too, whose script would download the CUDA provider.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
  });
  done(code === 0);
  if (code !== 0) {
    throw new SetupError(
      `npm could not install the dependencies in ${folder} (exit code ${code}). It said:\n\n${excerpt(output)}\n\n` +
        "Check the network connection and that the folder can be written to, then run the same command again.",
    );
  }
}

/** The npm that runs us where there is one, so that both use the same Node; else the one on the PATH. */
function npm() {
  const cli = process.env.npm_execpath;
  if (cli && /^npm-cli\.c?js$/.test(basename(cli))) return { command: process.execPath, args: [cli], shell: false };
  return { command: "npm", args: [], shell: process.platform === "win32" }; // npm.cmd starts only through a shell
}

// ---- build

/** Whether dist/ was built from exactly these sources. */
export function isBuilt(folder) {
  try {
    return readFileSync(join(folder, "dist", ".stamp"), "utf8") === fingerprint(folder);
  } catch {
    return false;
  }
}

/** The same of the page, which is made of the server's schemas too. */
export function isPageBuilt(folder) {
  try {
    return readFileSync(join(folder, "dist", "ui", ".stamp"), "utf8") === pageFingerprint(folder);
  } catch {
    return false;
  }
}

export const fingerprint = (folder) =>
  hashOf(folder, ["tsconfig.json", "tsconfig.build.json", "package.json"], [join(folder, "src")]);

const pageFingerprint = (folder) =>
  hashOf(folder, ["tsconfig.json", "package.json"], [join(folder, "ui"), join(folder, "src", "server", "api")]);

/** Content, not times: a checkout of an older commit has newer times. */
function hashOf(folder, names, folders) {
  const hash = createHash("sha256");
  const files = [...names.map((name) => join(folder, name)), ...folders.filter(existsSync).flatMap(filesUnder)];
  for (const file of files) {
    if (existsSync(file)) hash.update(`\0${relative(folder, file)}\0`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

async function build(folder) {
  const stamp = fingerprint(folder); // before compiling: a source changed meanwhile makes the build stale, not wrongly fresh
  const fresh = join(folder, ".cache", `build-${process.pid}`);
  const done = progress("Building");
  try {
    const tsc = join(folder, "node_modules", "typescript", "bin", "tsc");
    const { code, output } = await run(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", fresh], {
      cwd: folder,
    });
    done(code === 0);
    if (code !== 0) throw new SetupError(`The sources in ${join(folder, "src")} do not compile:\n\n${excerpt(output)}`);
    replaceFiles(fresh, join(folder, "dist"), stamp, ["ui"]);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** A page that can not be built is no reason to go without the server: it is said, and what was built before is served. */
async function buildPage(folder) {
  const stamp = pageFingerprint(folder);
  const fresh = join(folder, ".cache", `page-${process.pid}`);
  const done = progress("Building the web page");
  try {
    const vite = join(folder, "node_modules", "vite", "bin", "vite.js");
    const args = [
      "build",
      "--config",
      join("ui", "vite.config.ts"),
      "--outDir",
      fresh,
      "--emptyOutDir",
      "--logLevel",
      "warn",
    ];
    const env = { ...process.env, NODE_ENV: "production" }; // else a test, whose own is "test", would build React's slow half
    const { code, output } = await run(process.execPath, [vite, ...args], { cwd: folder, env });
    done(code === 0);
    if (code === 0) replaceFiles(fresh, join(folder, "dist", "ui"), stamp);
    else say(`The web page's sources in ${join(folder, "ui")} can not be built:\n\n${excerpt(output)}\n`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/**
 * File by file, each by a rename, so that a running process finds every module at every moment. The stamp comes last.
 * `except`: folders in it that are somebody else's.
 */
function replaceFiles(from, to, stamp, except = []) {
  rmSync(join(to, ".stamp"), { force: true });
  // Folders first: a page's index.html names files in them.
  const names = filesUnder(from)
    .map((file) => relative(from, file))
    .sort((a, b) => b.split(sep).length - a.split(sep).length);
  for (const name of names) {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    renameSync(join(from, name), join(to, name));
  }
  const built = new Set(names);
  const isOld = (name) => !built.has(name) && !except.includes(name.split(sep)[0]);
  for (const file of filesUnder(to)) if (isOld(relative(to, file))) unlinkSync(file);
  writeFileSync(join(to, ".stamp"), stamp);
}

function filesUnder(folder) {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .flatMap((path) => (statSync(path).isDirectory() ? filesUnder(path) : [path]));
}

// ---- processes and progress

/** Runs a command to its end and keeps what it printed. */
async function run(command, args, options) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const { code, signal } = await ended(child).catch((error) => {
    const missing = error.code === "ENOENT" ? ` ${command} is not on the PATH; it comes with Node.` : "";
    throw new SetupError(`${command} could not be started: ${error.message}.${missing}`);
  });
  return { code: code ?? signal, output };
}

/** Waits for a child; a signal that only this process was sent is passed on, so that no child outlives us. */
export function ended(child) {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  const pass = (signal) => {
    // A terminal sends Ctrl-C to the child as well.
    if (!(signal === "SIGINT" && process.stdin.isTTY)) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, pass);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal }));
  }).finally(() => {
    for (const signal of signals) process.removeListener(signal, pass);
  });
}

/** The beginning, where tools say what is wrong, and the end, where they say where the rest is. */
function excerpt(text) {
  const lines = text.trimEnd().split("\n");
  return (lines.length <= 40 ? lines : [...lines.slice(0, 25), "...", ...lines.slice(-5)]).join("\n");
}

const say = (text) => process.stderr.write(`${text}\n`);

/** One line that counts the seconds on a terminal; two plain lines elsewhere. */
function progress(title) {
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  const live = process.stderr.isTTY;
  if (!live) say(`${title} ...`);
  const draw = () => process.stderr.write(`\r${title} ... ${seconds()} s `);
  if (live) draw();
  const timer = live ? setInterval(draw, 1000) : undefined;
  return (ok) => {
    clearInterval(timer);
    const end = ok ? `done in ${seconds()} s` : "failed";
    if (live) process.stderr.write(`\r\u001b[K${title}: ${end}\n`);
    else say(`${title.split(" (")[0]}: ${end}`);
  };
}

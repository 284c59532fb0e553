// renoir start: the server with the web page, until it is told to stop.

import { spawn } from "node:child_process";
import { type Command, InvalidArgumentError, Option } from "commander";
import { ownPrefix } from "../server/api/paths.ts";
import type { Logger } from "../server/log.ts";
import type { RunningServer } from "../server/start.ts";
import { jsonLine } from "./output.ts";

const help = `
Only this machine is served unless --host says otherwise, and then only those who know the token. Everything that the
server keeps lies in RENOIR_HOME; pictures stay where they are. Ctrl-C saves what is in hand and stops.

Examples:
  $ renoir start --library ~/stable-diffusion-webui/outputs --open
  $ RENOIR_TOKEN=a-long-secret renoir start --host 0.0.0.0
  $ renoir start --upstream http://127.0.0.1:7860
  $ renoir start --allow-origin http://127.0.0.1:7860`;

interface StartFlags {
  readonly port: number;
  readonly host: string;
  readonly token?: string;
  readonly library?: string[];
  readonly allowOrigin?: string[];
  readonly upstream?: string;
  readonly open?: boolean;
  readonly json?: boolean;
  readonly logJson?: boolean;
}

const several = (value: string, before: string[] = []) => [...before, value];

export function registerStart(program: Command): void {
  program
    .command("start")
    .description("serve the web page and the API, and score what appears in the library's folders")
    .option("--port <n>", "where to listen; 0 takes any that is free", parsePort, 7861)
    .option("--host <address>", "the address to listen on", "127.0.0.1")
    .addOption(
      new Option(
        "--token <secret>",
        "what everyone must know who asks; needed for any address that others can reach",
      ).env("RENOIR_TOKEN"), // a command line can be read by every user of the machine
    )
    .option("--library <folder>", "put this folder into the library; can be given several times", several)
    .option("--allow-origin <url>", "let the pages of another server ask this one; can be given several times", several)
    .option(
      "--upstream <url>",
      "the WebUI behind the gateway: every address that is not Renoir's own is passed on to it",
    )
    .option("--open", "open the page in the browser")
    .option("--json", "JSON Lines on stdout: where it listens, then each job as it begins and ends")
    .option("--log-json", "the log as JSON lines on a terminal too")
    .addHelpText("after", help)
    .action(start);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("It is a whole number up to 65535.");
}

async function start(flags: StartFlags): Promise<void> {
  const { port, host, token, library: folders, allowOrigin: allowOrigins, upstream, json } = flags;
  // Only who starts a server pays for loading it.
  const [{ createLog }, { startServer }] = await Promise.all([
    import("../server/log.ts"),
    import("../server/start.ts"),
  ]);
  const log = createLog({ json: flags.logJson, level: process.env.RENOIR_DEBUG ? "debug" : "info" });
  // One request's slip should not take everyone's work with it.
  process.on("unhandledRejection", (error) => log.error({ err: error }, "Something failed that nobody waited for."));
  const stopped = nextSignal();
  const server = await startServer({ port, host, token, folders, allowOrigins, upstream, log });
  process.stdout.write(json ? jsonLine({ event: "listening", url: server.url }) : welcome(server));
  if (json) tellJobs(server);
  if (flags.open) openBrowser(server.url, log);
  log.info(`${await stopped}: stopping, what is in hand is saved.`);
  await server.close();
  process.exit(0); // what did not end in time is left behind
}

function welcome({ url, services }: RunningServer): string {
  const upstream = services.upstream();
  const page = `${url}${upstream ? `${ownPrefix}/` : ""}`;
  const token = services.policy.token ? `${upstream ? "" : "/"}?token=... (with your token, once)` : "";
  const behind = upstream ? `The WebUI of ${upstream.origin} is at ${url}\n` : "";
  return `Renoir ${services.version} is at ${page}${token}\n${behind}Press Ctrl-C to stop.\n`;
}

function tellJobs({ services }: RunningServer): void {
  services.jobs.on("changed", ({ id, kind, state }) => {
    process.stdout.write(jsonLine({ event: "job", id, kind, state }));
  });
}

/** The first signal is told; the second ends the process at once. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let told = false;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (told) process.exit(130);
        told = true;
        resolve(signal);
      });
    }
  });
}

const browsers: Readonly<Partial<Record<NodeJS.Platform, [string, ...string[]]>>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
};

function openBrowser(url: string, log: Logger): void {
  const [command, ...args] = browsers[process.platform] ?? ["xdg-open"];
  const child = spawn(command, [...args, url], { stdio: "ignore", detached: true });
  child.on("error", (error) => log.warn(`No browser could be opened (${error.message}): go to ${url} yourself.`));
  child.unref();
}

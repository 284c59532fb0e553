// `renoir status`: which hosts have the plugin, in which version, and whether the server that they ask is there.

import type { Command } from "commander";
import { findPlace, lookAt, type Presence } from "../extension/installer.ts";
import { manifest } from "../extension/manifest.ts";
import { findHosts, type Host } from "../tasks/nearbyHosts.ts";
import { jsonLine } from "./output.ts";

export interface HostStatus {
  readonly host: string;
  readonly name: string;
  readonly path: string;
  /** Where it saves its pictures. */
  readonly pictures: string;
  readonly plugin: Presence["state"];
  readonly version: string | null;
  /** What is not as it should be and what to do, in a whole sentence. */
  readonly advice: string | null;
}

export interface ServerStatus {
  readonly server: string;
  readonly version: string | null;
  readonly advice: string | null;
}

export function registerStatus(program: Command): void {
  program
    .command("status")
    .description("which generation UIs lie near, whether they have Renoir's plugin, and whether the server runs")
    .argument("[folder...]", "where to look; default: here, beside, in the home folder and in usual places")
    .option("--json", "one JSON object a line")
    .addHelpText("after", "\nExample:\n  renoir status\n  renoir status ~/ai --json\n")
    .action(async (folders: string[], { json }) => {
      const server = await serverStatus(manifest.server.address);
      const hosts = await hostStatuses(folders.length > 0 ? folders : undefined);
      const write = (line: object, text: string) => process.stdout.write(json ? jsonLine(line) : text);
      write(server, describe(server.server, `server ${server.version ?? "not running"}`, server.advice));
      for (const host of hosts) write(host, describe(`${host.name}, ${host.path}`, stateOf(host), host.advice));
      if (hosts.length === 0) process.stderr.write("No generation UI was found; name a folder to look in.\n");
    });
}

const describe = (what: string, state: string, advice: string | null) =>
  `${state.padEnd(24)} ${what}\n${advice ? `${" ".repeat(24)} ${advice}\n` : ""}`;

const stateOf = ({ plugin, version }: HostStatus) =>
  version === null ? `plugin ${plugin}` : `plugin ${version}, ${plugin}`;

export const hostStatuses = async (places?: readonly string[]): Promise<HostStatus[]> =>
  Promise.all((await findHosts(places)).map(statusOf));

async function statusOf(host: Host): Promise<HostStatus> {
  const { id, name, path, pictures } = host;
  const known = { host: id, name, path, pictures };
  try {
    const found = await lookAt(await findPlace(id, path));
    const version = "version" in found ? found.version : null;
    return { ...known, plugin: found.state, version, advice: adviceOn(found, host) };
  } catch (error) {
    return { ...known, plugin: "absent", version: null, advice: (error as Error).message };
  }
}

function adviceOn(found: Presence, { id, path }: Host): string | null {
  const install = `renoir install ${id} "${path}"`;
  if (found.state === "absent") return `To have Renoir in it: ${install}`;
  if (found.state === "broken") return `Its link leads to ${found.to}, which has gone. To mend it: ${install}`;
  if (found.state === "foreign") return `In the plugin's place is ${found.what}, which Renoir does not touch.`;
  if (found.current) return null;
  if (found.state === "linked") return `It is another Renoir's, of ${found.to}. To have this one: ${install}`;
  return `This is Renoir ${manifest.version}. To have the plugin of the same version: ${install} --copy`;
}

async function serverStatus(server: string): Promise<ServerStatus> {
  try {
    const response = await fetch(`${server}/api/v1/health`, { signal: AbortSignal.timeout(2000) });
    if (response.status === 401) return { server, version: null, advice: "It runs, and wants its token." };
    const { version } = (await response.json()) as { version?: string };
    return { server, version: version ?? null, advice: version ? otherVersion(version) : "Another program answers." };
  } catch {
    return { server, version: null, advice: "Start it with: renoir start" };
  }
}

const otherVersion = (version: string) =>
  version === manifest.version ? null : `This is Renoir ${manifest.version}: stop the server and start it anew.`;

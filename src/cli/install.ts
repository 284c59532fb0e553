// `renoir install` and `renoir uninstall`: the plugin of a generation UI, put into its folder and taken away.

import type { Command } from "commander";
import { type Done, hostIds, install, uninstall } from "../extension/installer.ts";
import { jsonLine } from "./output.ts";

const hosts = `a host: ${hostIds.join(", ")}`;
const place = "the host's folder, or its extensions or custom_nodes folder";

export function registerInstall(program: Command): void {
  program
    .command("install")
    .description("put Renoir's plugin into a generation UI: a link to this Renoir, or a copy where links do not work")
    .argument("<host>", hosts)
    .argument("<path>", place)
    .option("--copy", "copy the files, for a host that does not see this folder, as in a container")
    .option("--json", "what was done as one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  renoir install forge ~/stable-diffusion-webui-forge\n  renoir install comfyui ~/ComfyUI --copy\n",
    )
    .action(async (host, path, { copy, json }) => print(await install(host, path, { copy }), json));
}

export function registerUninstall(program: Command): void {
  program
    .command("uninstall")
    .description("take Renoir's plugin out of a generation UI again, without a trace")
    .argument("<host>", hosts)
    .argument("<path>", place)
    .option("--json", "what was done as one JSON object")
    .addHelpText("after", "\nExample:\n  renoir uninstall forge ~/stable-diffusion-webui-forge\n")
    .action(async (host, path, { json }) => print(await uninstall(host, path), json));
}

function print(done: Done, json: boolean | undefined): void {
  process.stdout.write(json ? jsonLine(done) : `${[sentences[done.did](done), ...done.notes].join("\n")}\n`);
}

const sentences: Readonly<Record<Done["did"], (done: Done) => string>> = {
  installed: ({ host, version, how, target }) => `Renoir ${version} is in ${host} now, ${how} at ${target}.`,
  updated: ({ host, version, how, target }) => `Renoir ${version} is in ${host} now, ${how} anew at ${target}.`,
  unchanged: ({ host, version, target }) => `Renoir ${version} is in ${host} already, linked at ${target}.`,
  removed: ({ host, target }) => `Renoir is no longer in ${host}: ${target} is gone.`,
  absent: ({ host, target }) => `Renoir is not in ${host}: there is no ${target}.`,
};

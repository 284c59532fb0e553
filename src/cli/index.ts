// The `renoir` command: its commands are listed here, one file each.

import { Command, CommanderError } from "commander";
import { version } from "../tasks/version.ts";
import { registerDoctor } from "./doctor.ts";
import { registerGenerate } from "./generate.ts";
import { registerInfo } from "./info.ts";
import { registerInstall, registerUninstall } from "./install.ts";
import { registerModels } from "./models.ts";
import { registerNoise } from "./noise.ts";
import { registerRank } from "./rank.ts";
import { registerRefine } from "./refine.ts";
import { registerScore } from "./score.ts";
import { registerStart } from "./start.ts";
import { registerStatus } from "./status.ts";
import { exitStatus, messageOf } from "./usage.ts";
import { registerWatch } from "./watch.ts";

const commands = [
  registerScore,
  registerRank,
  registerInfo,
  registerWatch,
  registerModels,
  registerGenerate,
  registerRefine,
  registerNoise,
  registerStart,
  registerInstall,
  registerUninstall,
  registerStatus,
  registerDoctor,
];

/** Runs one command line; gives its exit status: 0 done, 1 some item failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return explain(error);
  }
}

export function createProgram(): Command {
  const program = new Command("renoir")
    .description(
      "Scores, sorts, filters and refines generated images with human-preference reward models, on your own machine.",
    )
    .version(version())
    .exitOverride()
    .showHelpAfterError("Add --help to see what can be given, with examples.")
    .addHelpText("after", "\nExample:\n  $ renoir score outputs/ --sort\n");
  for (const register of commands) register(program);
  return program;
}

function explain(error: unknown): number {
  // Commander has printed its own message already; asking for help or the version is no mistake.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`${messageOf(error)}\n`);
  return exitStatus(error);
}

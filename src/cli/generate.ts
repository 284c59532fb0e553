// renoir generate: pictures from a one-step model, or a picture made again from what its file says.

import { parse } from "node:path";
import type { Command } from "commander";
import { RequestError } from "../errors.ts";
import type { MakingFlags } from "../tasks/making.ts";
import { type Origin, originOf } from "../tasks/origin.ts";
import { pictureOfSeries } from "../tasks/series.ts";
import { freeName, slug, writeWhole } from "../tasks/writeWhole.ts";
import { watchInterrupts } from "./interrupt.ts";
import { addMakingFlags } from "./makingFlags.ts";
import { parseCount } from "./options.ts";
import { jsonLine, printable } from "./output.ts";
import { createProgress } from "./progress.ts";

const help = `
Each picture's file says how it was made, as A1111 writes it, so that hosts and \`renoir refine\` can read it. With --from the
picture of that file is made again from what the file says; "difference" is then the mean of the absolute differences to it,
0 to 255. Several pictures have the seeds n, n + 1 ...

Exit status: 0 done, 1 failed or stopped, 2 wrong usage.

Examples:
  $ renoir generate --prompt "a red fox in the snow" --model sd-turbo/ --seed 7 --count 4
  $ renoir generate --from outputs/00012-1234.png --json`;

interface GenerateFlags extends MakingFlags {
  readonly from?: string;
  readonly count: number;
  readonly out: string;
}

export function registerGenerate(program: Command): void {
  addMakingFlags(program.command("generate").description("make pictures with a one-step model"))
    .option("--from <image>", "make this picture again; flags given take the place of what its file says")
    .option("--count <n>", "how many", parseCount, 1)
    .option("--out <folder>", "where the pictures go", "outputs")
    .addHelpText("after", help)
    .action(generate);
}

async function generate(flags: GenerateFlags): Promise<void> {
  const interrupt = watchInterrupts();
  const progress = createProgress(flags.count, "Made");
  try {
    const single = flags.from !== undefined ? "--from" : flags.latents !== undefined ? "--latents" : undefined;
    if (flags.count > 1 && single) {
      throw new RequestError(`${single} is of one picture, but --count asks for ${flags.count}.`, {
        hint: "Leave out --count, or give --prompt and --seed instead.",
      });
    }
    const origin = await originOf(flags.from, flags, progress.say);
    for (let index = 0; index < flags.count && !interrupt.signal.aborted; index++) {
      tell(await make(origin, index, flags), origin, flags);
      progress.step();
    }
    await origin.pipeline.unload();
    if (interrupt.signal.aborted) process.exitCode = 1;
  } finally {
    progress.stop();
    interrupt.release();
  }
}

interface Made {
  readonly file: string;
  readonly seed: number | bigint | undefined;
}

async function make(origin: Origin, index: number, { from, out }: GenerateFlags): Promise<Made> {
  const { seed, file: content } = await pictureOfSeries(origin, index);
  const stem = from === undefined ? `${seed ?? "latents"}-${slug(origin.prompt)}` : `${parse(from).name}-again`;
  const file = await freeName(out, stem, ".png");
  await writeWhole(file, content);
  return { file, seed };
}

function tell(
  { file, seed }: Made,
  { prompt, width, height, pipeline, candidate, difference }: Origin,
  { json }: GenerateFlags,
) {
  if (json) {
    const line = { file, prompt, ...(seed !== undefined && { seed }), width, height, model: pipeline.name };
    const likeness = { ...(candidate !== undefined && { candidate }), ...(difference !== undefined && { difference }) };
    process.stdout.write(jsonLine({ ...line, ...likeness }));
    return;
  }
  const likeness =
    difference === undefined ? "" : `  (differs from the file by ${difference.toFixed(3)} of 255 on average)`;
  process.stdout.write(`${printable(file)}${likeness}\n`);
}

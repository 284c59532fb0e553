// `npm run train:generator`: trains the text-to-image model of the shapes world, counts what it draws right of sentences it never saw,
// and writes it where Renoir looks for it. Stopped at any time, it goes on from its last checkpoint when it is started again.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { percent } from "./evaluation.ts";
import { type Drawn, examineVae, heldOut, Painter, sketcher } from "./generatorEvaluation.ts";
import { readStage, type StageTrace, writePipeline, writeStage } from "./generatorFiles.ts";
import {
  type GeneratorSettings,
  type Stage,
  type StageProgress,
  type StageState,
  startStage,
  trainDecoder,
  trainUnet,
  trainVae,
} from "./generatorTraining.ts";
import { Meter, pointsOf, round, say } from "./meter.ts";
import { plotPng } from "./plot.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const traceEvery = 50; // steps
const measured = ["loss", "norm", "reading", "laying"] as const;

interface Options {
  vaeSteps: number;
  decoderSteps: number;
  steps: number;
  batch: number;
  rate: number;
  seed: number;
  threads?: number;
  checkpointEvery: number;
  examineEvery: number;
  tests: number;
  only?: Stage;
  fresh?: boolean;
  asItStands?: boolean;
  work: string;
  out: string;
  plot: string;
}

const command = () =>
  new Command("train:generator")
    .description("Trains the text-to-image model of the built-in shapes world.")
    .option("--vae-steps <n>", "steps of the autoencoder, which comes first", Number, 7500)
    .option("--steps <n>", "steps of text encoder and U-Net; when going on, there may be more or fewer", Number, 12500)
    .option("--decoder-steps <n>", "steps in which the autoencoder learns from what the U-Net paints", Number, 1200)
    .option("--batch <n>", "pictures in a step", Number, 12)
    .option("--rate <x>", "highest learning rate", Number, 1e-3)
    .option("--seed <n>", "seed of weights and data", Number, 1)
    .option("--threads <n>", "threads (default: all cores)", Number)
    .option("--checkpoint-every <n>", "steps between checkpoints", Number, 200)
    .option("--examine-every <n>", "steps between examinations on held-out sentences", Number, 500)
    .option("--tests <n>", "held-out sentences in the last examination", Number, 400)
    .addOption(
      new Option("--only <stage>", "train this alone, beside the other: then finish with --as-it-stands").choices([
        "vae",
        "unet",
        "decoder",
      ]),
    )
    .option("--fresh", "begin anew even if there is a checkpoint")
    .option("--as-it-stands", "train no further: examine and write the model of the last checkpoint")
    .option("--work <folder>", "where checkpoints lie", join(project, ".cache/train-generator"))
    .option("--out <folder>", "where the trained model goes", join(project, "assets/shapes/generator"))
    .option("--plot <file>", "where the plot goes", join(project, "docs/generator-training.png"))
    .addHelpText("after", "\nExample: npm run train:generator -- --threads 2");

const settingsFrom = ({ seed, vaeSteps, steps, decoderSteps, batch, rate }: Options): GeneratorSettings => ({
  seed,
  sizes: { textWidth: 96, textDepth: 2, unet: [48, 96, 96], vae: [16, 32, 48] },
  vae: { steps: vaeSteps, batch: 8, peak: 2e-3, warmUp: 50 },
  unet: { steps, batch, peak: rate, warmUp: 200 },
  decoder: { steps: decoderSteps, batch: 8, peak: 5e-4, warmUp: 50 },
});

/** A stage as it runs: what it has learned, and what is told of it. */
interface Course {
  state: StageState;
  trace: StageTrace[];
}

export async function main(args: readonly string[]): Promise<number> {
  const options = command().parse(args, { from: "user" }).opts<Options>();
  const settings = settingsFrom(options);
  const courses = { vae: await courseOf("vae", settings, options), unet: await courseOf("unet", settings, options) };
  if (trains("vae", options)) await learnVae(settings, courses.vae, options);
  if (trains("unet", options)) await learnUnet(settings, courses, options);
  const begun = { state: { step: 0, parameters: courses.vae.state.parameters }, trace: [] };
  const decoder = await courseOf("decoder", settings, options, begun);
  if (trains("decoder", options)) await learnDecoder(settings, courses.unet, decoder, options);
  if (!options.only) await finish(settings, { ...courses, decoder }, options);
  return 0;
}

const trains = (stage: Stage, { asItStands, only }: Options) => !asItStands && (only ?? stage) === stage;

async function courseOf(stage: Stage, settings: GeneratorSettings, options: Options, begun?: Course): Promise<Course> {
  const kept = options.fresh ? undefined : await readStage(options.work, settings, stage);
  if (kept) say(`Going on from step ${kept.state.step} of ${stage}.safetensors in ${options.work}.`);
  return kept ?? begun ?? { state: startStage(settings, stage), trace: [] };
}

async function learnVae(settings: GeneratorSettings, course: Course, options: Options): Promise<void> {
  const { threads } = options;
  await follow("vae", trainVae(settings, course.state, threads), settings, course, options, async (parameters) => {
    const share = await examineVae(settings.sizes, parameters, 64, threads);
    say(`  pictures right after coding and decoding: ${percent(share)}`);
    return share.right / share.of;
  });
}

/** Its pictures are examined through the autoencoder as it is by then: the two may be trained side by side. */
async function learnUnet(
  settings: GeneratorSettings,
  courses: Record<"vae" | "unet", Course>,
  options: Options,
): Promise<void> {
  const painter = await Painter.build(settings.sizes, options.threads);
  const steps = trainUnet(settings, courses.unet.state, options.threads);
  await follow("unet", steps, settings, courses.unet, options, async (parameters) => {
    const vae = (await readStage(options.work, settings, "vae")) ?? courses.vae;
    const drawn = await painter.examine({ ...parameters, ...vae.state.parameters }, 96, settings.seed);
    say(`  right: ${describeDrawn(drawn)}`);
    return shareOf(drawn[heldOut]);
  });
  await painter.release();
}

async function learnDecoder(
  settings: GeneratorSettings,
  unet: Course,
  course: Course,
  options: Options,
): Promise<void> {
  const { parameters } = unet.state;
  const { sketch, release } = await sketcher(settings.sizes, parameters, settings.decoder.batch, options.threads);
  const painter = await Painter.build(settings.sizes, options.threads);
  const steps = trainDecoder(settings, course.state, sketch, options.threads);
  await follow("decoder", steps, settings, course, options, async (decoder) => {
    const drawn = await painter.examine({ ...parameters, ...decoder }, 96, settings.seed);
    say(`  right: ${describeDrawn(drawn)}`);
    return shareOf(drawn[heldOut]);
  });
  await painter.release();
  await release();
}

/** Runs a stage to its end: a line every few steps, an examination and a checkpoint now and then. */
async function follow(
  stage: Stage,
  steps: AsyncIterable<StageProgress>,
  settings: GeneratorSettings,
  { state, trace }: Course,
  options: Options,
  examine: (parameters: StageState["parameters"]) => Promise<number>,
): Promise<void> {
  const meter = new Meter(settings[stage].steps, measured);
  for await (const progress of steps) {
    meter.note(progress);
    const isLast = progress.step === settings[stage].steps;
    if (progress.step % traceEvery === 0 || isLast) {
      const { entry, pace } = meter.read(2);
      trace.push(entry);
      say(`${describeTrace(entry, settings[stage].steps)}  ${pace}`);
      if (progress.step % options.examineEvery === 0 || isLast)
        trace[trace.length - 1] = { ...entry, right: round(await examine(state.parameters)) };
    }
    if (progress.step % options.checkpointEvery === 0 || isLast)
      await writeStage(options.work, settings, stage, state, trace);
  }
}

/** The last examination on many sentences, and the files. */
async function finish(settings: GeneratorSettings, courses: Record<Stage, Course>, options: Options): Promise<void> {
  const { sizes, seed } = settings;
  const parameters = { ...courses.unet.state.parameters, ...courses.decoder.state.parameters };
  const painter = await Painter.build(sizes, options.threads);
  const drawn = await painter.examine(parameters, options.tests, seed + 1);
  await painter.release();
  const coded = await examineVae(sizes, courses.decoder.state.parameters, options.tests, options.threads);
  say(`Pictures right after coding and decoding: ${percent(coded)}.`);
  say(["Sentences drawn right at one try:", describeDrawn(drawn, "\n  ")].join("\n  "));
  await writePipeline(options.out, sizes, parameters);
  const record = {
    settings,
    reached: { vae: courses.vae.state.step, unet: courses.unet.state.step, decoder: courses.decoder.state.step },
    coded,
    drawn,
    trace: { vae: courses.vae.trace, unet: courses.unet.trace, decoder: courses.decoder.trace },
  };
  await writeFile(join(options.out, "training.json"), `${JSON.stringify(record, null, 1)}\n`);
  await mkdir(join(options.plot, ".."), { recursive: true });
  await writeFile(options.plot, await plotPng(curvesOf(courses.unet.trace)));
  say(`Written: the model in ${options.out}, ${options.plot}.`);
}

const shareOf = (share: { right: number; of: number } | undefined) => (share ? share.right / share.of : 0);

const describeDrawn = (drawn: Drawn, separator = ", "): string =>
  Object.entries(drawn)
    .map(([name, share]) => `${name} ${percent(share)}`)
    .join(separator);

function curvesOf(trace: readonly StageTrace[]) {
  return {
    title: "The shapes generator: learning to draw in one step",
    xLabel: "steps",
    low: 0,
    high: 1,
    curves: [
      { label: "loss", colour: "#c0392b", points: pointsOf(trace, ({ loss }) => loss) },
      { label: "drawn right, held out", colour: "#1e8449", points: pointsOf(trace, ({ right }) => right) },
    ],
  };
}

const describeTrace = (
  { step, loss, reading, laying }: Record<(typeof measured)[number] | "step", number>,
  total: number,
) => `${step}/${total}  loss ${loss.toFixed(4)}  reading ${reading.toFixed(3)}  laying ${laying.toFixed(3)}`;

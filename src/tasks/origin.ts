// What generate and refine begin from: a model, its conditioning and a noise. What the command line does not say, the file does.

import { readFile } from "node:fs/promises";
import { RequestError } from "../errors.ts";
import { formatInfotext, type ImageMetadata, readBareInfotext, readInfotext, readMetadata } from "../metadata/index.ts";
import { type LoadPipelineOptions, loadPipeline } from "../reno/loadPipeline.ts";
import { noise } from "../reno/noise/index.ts";
import type { Conditioning, Pipeline } from "../reno/pipeline.ts";
import { type Original, type Recipe, type Recreated, recipeOf, recreate } from "../reno/recipe.ts";
import {
  type Making,
  ownTexts,
  type Rounding,
  readLatents,
  type Text,
  textsOf,
  textsOfInfotext,
} from "../reno/resultFile.ts";
import { decodeImage, toRgb } from "../scoring/decode.ts";
import { chooseModel } from "./chooseModel.ts";
import { refuseTooLarge } from "./enoughMemory.ts";
import { type GivenLatents, type MakingFlags, randomSeed, readLatentsFile, type Size } from "./making.ts";
import { version } from "./version.ts";

export interface Origin {
  readonly pipeline: Pipeline;
  readonly conditioning: Conditioning;
  readonly latents: Float32Array;
  /** The noise came from a file: no seed tells it. */
  readonly latentsGiven: boolean;
  readonly prompt: string;
  readonly negativePrompt: string | undefined;
  readonly guidance: number | undefined;
  readonly seed: number | bigint | undefined;
  readonly width: number;
  readonly height: number;
  /** How floats become bytes: as the host does it whose picture it is. */
  readonly rounding: Rounding;
  /** What the file of a picture made from this says. */
  readonly texts: readonly Text[];
  readonly making: Making;
  /** Made already, for the comparison with the file's picture. */
  readonly pixels?: Float32Array;
  /** The mean of the absolute differences to the file's picture, 0..255. */
  readonly difference?: number;
  /** Which of the ways that the file leaves open came nearest. */
  readonly candidate?: string;
}

type Say = (sentence: string) => void;

/** A picture's file, infotext that takes the place of what it says, or infotext alone. */
export interface Source {
  readonly file?: string | undefined;
  readonly infotext?: string | undefined;
}

export interface OriginOptions {
  /** Who opens models and so may keep them; loadPipeline unless given. */
  readonly load?: (model: string, options: LoadPipelineOptions) => Promise<Pipeline>;
}

export async function originOf(
  image: string | Source | undefined,
  given: MakingFlags,
  say: Say,
  { load = loadPipeline }: OriginOptions = {},
): Promise<Origin> {
  const flags = { ...given, load };
  const { file, infotext } = typeof image === "object" ? image : { file: image };
  if (file !== undefined || infotext !== undefined) {
    return await fromPicture(await readPicture(file, infotext), flags, say);
  }
  if (flags.prompt !== undefined) return await fromPrompt(flags.prompt, flags, say);
  throw new RequestError("Neither a picture nor --prompt was given; one of them was wanted.", {
    hint: 'Name a picture whose file says how it was made, or what to draw, as in --prompt "a red fox in the snow".',
  });
}

type Flags = MakingFlags & Required<OriginOptions>;

// ---- from a prompt

async function fromPrompt(prompt: string, flags: Flags, say: Say): Promise<Origin> {
  const given = flags.latents === undefined ? undefined : await readLatentsFile(flags.latents);
  const pipeline = await open(flags, {}, say);
  if (!pipeline.oneStepModel) {
    say(`${pipeline.name} is not known as a one-step model: what it draws in one step may be mere blur.`);
  }
  const size = sizeFor(pipeline, flags.size, given);
  const seed = given ? flags.seed : (flags.seed ?? tellSeed(randomSeed(), say));
  const { negativePrompt, guidance } = flags;
  return {
    ...(await diffusersStart(pipeline, { prompt, negativePrompt, guidance, seed, size, given })),
    ...ownFile({ prompt, negativePrompt, guidance, seed, ...size, model: pipeline.name, version: version() }),
  };
}

function tellSeed(seed: number, say: Say): number {
  say(`The seed is ${seed}.`);
  return seed;
}

const ownFile = (making: Making) => ({ making, texts: ownTexts(making) });

async function open({ model, load, ...run }: Flags, wanted: { file?: string; named?: string }, say: Say) {
  const choice = await chooseModel({ said: model, ...wanted });
  if (choice.why) say(choice.why);
  const { provider, dtype, threads } = run;
  return await load(choice.model, { provider, dtype, threads });
}

/** The size said, else that of the noise given, else the model's own. */
function sizeFor(pipeline: Pipeline, size: Partial<Size> | undefined, given: GivenLatents | undefined): Size {
  const [, channels, rows, columns] = given?.shape ?? [];
  if (channels !== undefined && channels !== pipeline.latentChannels) {
    throw new RequestError(
      `The noise has ${channels} channels, but ${pipeline.name} takes ${pipeline.latentChannels}.`,
      {
        hint: "Give noise that was made for this model.",
      },
    );
  }
  const { scaleFactor } = pipeline;
  return pipeline.checkedSize(size ?? (given ? { width: columns! * scaleFactor, height: rows! * scaleFactor } : {}));
}

interface Wanted {
  readonly prompt: string;
  readonly negativePrompt?: string | undefined;
  readonly guidance?: number | undefined;
  readonly seed: number | bigint | undefined;
  readonly size: Size;
  readonly given: GivenLatents | undefined;
}

/** As diffusers reads a prompt and draws noise: so Renoir's own pictures are made. */
async function diffusersStart(pipeline: Pipeline, { prompt, negativePrompt, guidance, seed, size, given }: Wanted) {
  const conditioning = await pipeline.condition(prompt, { negativePrompt, guidance });
  refuseTooLarge(pipeline, conditioning, size);
  const shape = pipeline.latentShape(size);
  const latents = given?.data ?? noise({ host: "diffusers", seed: seed!, shape });
  const said = { prompt, negativePrompt, guidance, seed, ...size };
  return { pipeline, conditioning, latents, latentsGiven: given !== undefined, ...said, rounding: "nearest" as const };
}

// ---- from a picture

interface Picture {
  /** As messages call it. */
  readonly file: string;
  /** Of the file; none where infotext alone tells of the picture. */
  readonly bytes?: Uint8Array;
  readonly original?: Original;
  readonly metadata: ImageMetadata;
  /** What its file says, for the file of a picture made from it. */
  readonly texts: () => Promise<readonly Text[]>;
}

async function readPicture(file: string | undefined, infotext: string | undefined): Promise<Picture> {
  const told = infotext === undefined ? undefined : readBareInfotext(infotext);
  const texts = async () => textsOfInfotext(infotext!, told!);
  if (file === undefined) return { file: "The infotext", metadata: told!, texts };
  const bytes = await readFile(file);
  const metadata = await readMetadata(file);
  const decoded = await decodeImage(file);
  const { width, height, data } = { ...decoded, data: toRgb(decoded) };
  const picture = { file, bytes, original: { data, width, height, channels: 3 } as const };
  if (told) return { ...picture, metadata: { ...told, width, height }, texts };
  return { ...picture, metadata, texts: () => textsOf(bytes, metadata) };
}

async function fromPicture(picture: Picture, flags: Flags, say: Say): Promise<Origin> {
  const { file } = picture;
  const given = await givenNoise(picture, flags);
  const metadata = withFlags(picture.metadata, flags, given);
  const { recipe, inOneStep } = recipeFor(metadata, file, flags, say);
  const pipeline = await open(flags, { file, ...(recipe.model !== null && { named: recipe.model }) }, say);
  if (!inOneStep) tellOtherModel(pipeline, say);
  const size = given && sizeFor(pipeline, flags.size, given);
  const isThatPicture = inOneStep && !changes(flags);
  const bounded = withinMemory(settled(recipe, size, given));
  const made = await recreate(pipeline, bounded, isThatPicture ? picture.original : undefined);
  tellMade(made, file, say);
  const { prompt, negativePrompt, rounding } = made.recipe;
  const { guidance } = inOneStep ? made.recipe : made.conditioning;
  const { conditioning, latents, width, height, pixels, candidate, difference } = made;
  const seed = knownSeed(picture.metadata) === null && flags.seed === undefined ? undefined : recipe.seed;
  const { name: model } = pipeline;
  const said = { prompt, negativePrompt, guidance, seed, width, height };
  const making = { ...said, model, version: version() };
  const texts = isThatPicture ? await picture.texts() : rewritten(metadata, making);
  const found = { pixels, rounding, candidate, ...(difference !== undefined && { difference }) };
  return { pipeline, conditioning, latents, latentsGiven: given !== undefined, ...said, making, texts, ...found };
}

/** --latents, else the noise that the file holds, unless a flag asks for another noise. */
async function givenNoise({ bytes, file }: Picture, { latents, seed, size }: MakingFlags) {
  if (latents !== undefined) return await readLatentsFile(latents);
  return bytes && seed === undefined && size === undefined ? readLatents(bytes, file) : undefined;
}

/** Whether a flag asks for something else than the file's own picture. */
const changes = (flags: MakingFlags): boolean => flags.latents !== undefined || rewrites(flags);

/** Whether a flag takes the place of what the file's text says. */
const rewrites = ({ prompt, negativePrompt, guidance, seed, size }: MakingFlags): boolean =>
  [prompt, negativePrompt, guidance, seed, size].some((flag) => flag !== undefined);

/** The file's metadata as if it said what the flags say. */
function withFlags(metadata: ImageMetadata, flags: MakingFlags, given: GivenLatents | undefined): ImageMetadata {
  const { size, guidance } = flags;
  const prompt = flags.prompt ?? metadata.prompt;
  // What a file that says nothing, or a graph that is no longer followed, leaves open is done as we do it; noise needs no seed.
  const { graph, ...said } = metadata;
  const asOurs = (metadata.host === null && flags.prompt !== undefined) || (graph !== undefined && rewrites(flags));
  return {
    ...(asOurs ? said : metadata),
    prompt,
    negativePrompt: flags.negativePrompt ?? metadata.negativePrompt,
    seed: flags.seed ?? knownSeed(metadata) ?? (given ? 0 : null),
    settings: {
      ...metadata.settings,
      ...(asOurs && { Version: `Renoir ${version()}` }),
      ...(size && { Size: `${size.width}x${size.height}` }),
      ...(guidance !== undefined && { "CFG scale": guidance }),
    },
    ...(size && { width: size.width, height: size.height }),
  };
}

/** Below 0 a seed stands for "any". */
const knownSeed = ({ seed }: ImageMetadata) => (seed !== null && seed >= 0 ? seed : null);

/** What the file says, or where one step can not give its picture and a model was chosen, its prompt and noise alone. */
function recipeFor(metadata: ImageMetadata, file: string, { model }: MakingFlags, say: Say) {
  try {
    return { recipe: recipeOf(metadata), inOneStep: true };
  } catch (error) {
    const recipe = error instanceof RequestError ? anyRecipe(metadata) : undefined;
    if (!recipe) throw error instanceof RequestError ? about(file, error, error.hint) : error;
    const hint =
      "With --model NAME-OR-PATH a one-step model draws the same prompt from the same noise: another picture.";
    if (model === undefined) throw about(file, error as RequestError, hint);
    say(`${file}: ${(error as RequestError).message}`);
    return { recipe, inOneStep: false };
  }
}

const about = (file: string, cause: RequestError, hint: string | undefined): RequestError =>
  new RequestError(`${file}: ${cause.message}`, { ...(hint !== undefined && { hint }), cause });

function anyRecipe(metadata: ImageMetadata): Recipe | undefined {
  try {
    return recipeOf(metadata, { anySteps: true });
  } catch {
    return undefined;
  }
}

function tellOtherModel({ name, oneStepModel }: Pipeline, say: Say): void {
  say(`Its prompt and noise are taken and drawn in one step by ${name}: step 0 is another picture than the file's.`);
  if (!oneStepModel) say(`${name} is not known as a one-step model: what it draws in one step may be mere blur.`);
}

/** The recipe with the noise that was given, whatever it says of others. */
function settled(recipe: Recipe, size: Size | undefined, given: GivenLatents | undefined): Recipe {
  if (!given) return recipe;
  const noises = () => [{ name: "the noise given", latents: () => given.data }];
  return { ...recipe, ...size, noises, others: recipe.others.map((other) => ({ ...other, ...size, noises })) };
}

/** The recipe with a look at its size before anything is drawn. */
function withinMemory(recipe: Recipe): Recipe {
  const condition = async (pipeline: Pipeline) => {
    const conditionings = await recipe.condition(pipeline);
    refuseTooLarge(pipeline, conditionings.of(), pipeline.checkedSize(recipe));
    return conditionings;
  };
  return { ...recipe, condition, others: recipe.others.map(withinMemory) };
}

/** Rounding and JPEG stay below it; another model or seed is far above. */
const likeness = 2;

function tellMade({ recipe, difference }: Recreated, file: string, say: Say): void {
  for (const note of recipe.notes) say(`${file}: ${note}`);
  if (difference === undefined || difference <= likeness) return;
  say(
    `The picture made from what ${file} says differs from it by ${difference.toFixed(1)} of 255 on average: ` +
      "another model or something that the file does not tell was at work, or it was changed afterwards.",
  );
}

/** Infotext for another picture than the file's, with what the host said of how it reads prompts; a graph can not be rewritten. */
function rewritten({ infotext }: ImageMetadata, making: Making): readonly Text[] {
  const own = ownTexts(making);
  if (infotext === null) return own;
  const { parameters } = readInfotext(infotext);
  const told = [...readInfotext(own[0]![1]).parameters].filter(([key]) => key !== "RNG" && key !== "Version");
  const kept = [...parameters].filter(([key]) => readsPrompts.includes(key));
  const merged = new Map([...told, ...kept]);
  return [["parameters", formatInfotext(making.prompt, making.negativePrompt ?? "", merged)]];
}

/** What of a host's infotext says how it reads prompts and draws noise. */
const readsPrompts = [
  "RNG",
  "Version",
  "App",
  "Emphasis",
  "Clip skip",
  "Variation seed",
  "Variation seed strength",
  "Seed resize from",
  "ENSD",
];

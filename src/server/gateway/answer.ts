// A generation's answer as A1111 gives it, { images, parameters, info }: its pictures put in order and left out, with everything that goes
// by the picture; and the scores in all its texts. Nothing else of it changes by a byte.

import { infotextWithScores, readInfotext, withScores } from "../../metadata/index.ts";
import { type JsonObject, parseJsonObject } from "../../metadata/json.ts";
import { setInJson } from "../../metadata/jsonEdit.ts";
import { bestFirst } from "../../scoring/filter.ts";

export interface Answer {
  readonly text: string;
  readonly images: readonly string[];
  /** JSON within the JSON, as A1111 has it. */
  readonly infoText: string;
  readonly info: JsonObject;
  /** Before it lies the grid. */
  readonly first: number;
  readonly count: number;
}

/** undefined for an answer without pictures that could be scored: send_images was false, or its form is another. */
export function readAnswer(text: string): Answer | undefined {
  const whole = parseJsonObject(text);
  const images = whole?.images;
  const infoText = typeof whole?.info === "string" ? whole.info : undefined;
  const info = parseJsonObject(infoText);
  if (!Array.isArray(images) || !images.every((image) => typeof image === "string") || !info) return undefined;
  const first = typeof info.index_of_first_image === "number" ? info.index_of_first_image : 0;
  const texts = Array.isArray(info.infotexts) ? info.infotexts : [];
  // Behind the pictures there may be masks, which have no infotext.
  const count = Math.min(texts.length, images.length) - first;
  return count > 0 ? { text, images: images as string[], infoText: infoText!, info, first, count } : undefined;
}

export interface Picture {
  readonly bytes: Buffer;
  readonly prompt: string;
}

export function picturesOf({ images, info, first, count }: Answer): Picture[] {
  return Array.from({ length: count }, (_, i) => ({
    bytes: Buffer.from(bare(images[first + i]!), "base64"),
    prompt: readInfotext(String((info.infotexts as unknown[])[first + i])).prompt,
  }));
}

const dataUrl = /^data:[^,]*,/;
const bare = (image: string) => image.replace(dataUrl, "");

/** Of a picture that was scored; undefined for one that could not be. */
export type Score = { readonly scores: Record<string, number>; readonly total: number } | undefined;

export interface Choice {
  readonly sort: boolean;
  /** The lowest total that stays; undefined lets all stay. */
  readonly limit: number | undefined;
}

/** The places of those that stay, in their new order. One without a score is never left out, and comes last. */
export function orderOf(scores: readonly Score[], { sort, limit }: Choice): number[] {
  const totals = scores.map((score) => score?.total ?? Number.NEGATIVE_INFINITY);
  const order = sort ? bestFirst(totals.map((total) => Math.max(total, -Number.MAX_VALUE))) : totals.map((_, i) => i);
  return order.filter((i) => scores[i] === undefined || limit === undefined || totals[i]! >= limit);
}

/** The answer in that order, and what became of it as one sentence. */
export async function arrange(answer: Answer, scores: readonly Score[], { sort, limit }: Choice) {
  const { images, info, first, count } = answer;
  const order = orderOf(scores, { sort, limit });
  const filtered = count - order.length;
  const note = noteOf(count, filtered, limit);
  // A grid shows what was left out too; with nothing left there is nothing else to show either.
  const grid = filtered === 0 ? images.slice(0, first) : [];
  const others = order.length === 0 ? [] : images.slice(first + count);
  const pictures = await Promise.all(order.map((i) => scoredImage(images[first + i]!, scores[i])));
  const texts = info.infotexts as string[];
  const infotexts = [
    ...texts.slice(0, grid.length),
    ...order.map((i) => scoredText(texts[first + i]!, scores[i])),
    ...texts.slice(first + count),
  ];
  const renoir = {
    note,
    scores: order.map((i) => scores[i]?.scores ?? null),
    filtered: scores.flatMap((score, i) => (order.includes(i) ? [] : [score!.scores])),
  };
  const newInfo = {
    ...permuted(info, order, count),
    infotexts,
    ...(grid.length === first ? {} : { index_of_first_image: 0 }),
    renoir,
  };
  const text = setAll(answer.text, {
    images: [...grid, ...pictures, ...others],
    info: setAll(answer.infoText, newInfo),
  });
  return { text, note };
}

function noteOf(count: number, filtered: number, limit: number | undefined): string {
  const pictures = count === 1 ? "1 picture was" : `${count} pictures were`;
  if (limit === undefined) return `${pictures} scored.`;
  return `${pictures} scored, ${filtered === count ? "all" : filtered} of them filtered out below ${limit}.`;
}

/** Every list that has an entry for each picture, and what A1111 tells of the first alone. */
function permuted(info: JsonObject, order: readonly number[], count: number): JsonObject {
  const found: JsonObject = {};
  for (const [key, values] of Object.entries(info)) {
    if (!key.startsWith("all_") || !Array.isArray(values) || values.length !== count) continue;
    found[key] = order.map((i) => values[i]!);
    const single = key.replace(/^all_/, "").replace(/s$/, "");
    if (order.length > 0 && single in info) found[single] = values[order[0]!]!;
  }
  return found;
}

/** Seeds beyond 2^53 keep their digits, and what is not named keeps its bytes. */
const setAll = (text: string, values: object): string =>
  Object.entries(values).reduce((changed, [key, value]) => setInJson(changed, [key], stringify(value)), text);

const stringify = (value: unknown): string => {
  if (typeof value === "bigint") return String(value);
  return Array.isArray(value) ? `[${value.map(stringify).join(", ")}]` : JSON.stringify(value);
};

const scoredText = (text: string, score: Score) => (score ? infotextWithScores(text, score.scores) : text);

async function scoredImage(image: string, score: Score): Promise<string> {
  if (!score) return image;
  const bytes = Buffer.from(bare(image), "base64");
  const written = await withScores(bytes, score.scores);
  return `${dataUrl.exec(image)?.[0] ?? ""}${Buffer.from(written).toString("base64")}`;
}

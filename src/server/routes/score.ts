// Pictures scored at once, nothing stored; and what a picture's bytes say.

import { ImageError, RequestError } from "../../errors.ts";
import { infotextWithScores, readInfotext } from "../../metadata/index.ts";
import { checkLimits, type Limits, ranksOf, withinLimits } from "../../scoring/filter.ts";
import { parseRewardNames } from "../../scoring/rewardName.ts";
import type { InfoReply, ScoreReply, ScoreRequest } from "../api/pictures.ts";
import type { ScoredPicture } from "../engine/engine.ts";
import type { Handler } from "../handler.ts";
import { findPicture, findPictures, readInfo, type Unusable } from "../pictures.ts";
import type { Services } from "../services.ts";

type Result = ScoreReply["results"][number];

/** A picture on its way: where it lies, what it was made from, and the text that its scores go into. */
interface Ready {
  readonly path: string;
  readonly prompt: string;
  readonly infotext: string | null;
}

/** POST /score: the results in the order of the pictures; one that can not be scored has an error, and the others are done. */
export const score: Handler<"score"> =
  (services) =>
  async ({ body, uploads, client, signal }) => {
    const limits = checkedLimits(body);
    const rewards = body.rewards ?? services.settings.get().rewards;
    parseRewardNames(rewards);
    const found = await findPictures(body.images, services, uploads);
    const pictures = await Promise.all(
      found.map((picture, index) => ("error" in picture ? picture : prepare(picture.path, index, body, services))),
    );
    const ready = pictures.filter(isReady);
    const outcomes =
      ready.length === 0 ? [] : await services.engine.score(ready.map(workOf), rewards, { signal, client });
    const results = resultsOf(pictures, new Map(ready.map((picture, index) => [picture, outcomes[index]!])));
    return { results: ranked(results, limits) };
  };

function checkedLimits(body: ScoreRequest): Limits {
  const { images, min, max } = body;
  const limits = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
  checkLimits(limits);
  for (const name of ["prompts", "infotexts"] as const) {
    const count = body[name]?.length ?? images.length;
    if (count === images.length) continue;
    throw new RequestError(`"${name}" has ${count} texts for ${images.length} pictures; wanted is one for each.`, {
      hint:
        name === "prompts"
          ? 'Use "prompt" for one that is every picture\'s.'
          : 'Leave a text empty ("") where there is none.',
    });
  }
  return limits;
}

const isReady = (picture: Ready | Unusable): picture is Ready => "path" in picture;
const workOf = ({ path, prompt }: Ready, index: number) => ({ source: path, prompt, name: `Picture ${index + 1}` });

/** The request's words come before the file's: a host scores a picture before its file says anything. */
async function prepare(
  path: string,
  index: number,
  { prompt, prompts, infotexts }: ScoreRequest,
  services: Services,
): Promise<Ready | Unusable> {
  const given = infotexts?.[index] || undefined;
  const said = prompts?.[index] ?? prompt ?? (given === undefined ? undefined : readInfotext(given).prompt);
  if (given !== undefined && said !== undefined) return { path, prompt: said, infotext: given };
  const read = await readInfo(path, services);
  if ("error" in read) return read;
  const wanted = said ?? read.info.prompt;
  if (wanted === null) return { error: read.info.format === "unknown" ? noPicture : missingPrompt };
  return { path, prompt: wanted, infotext: given ?? read.info.infotext };
}

const noPicture = {
  code: "image",
  message: "The bytes are not those of a picture.",
  hint: "Send a PNG, JPEG, WebP, AVIF, GIF or TIFF file as it is.",
};

const missingPrompt = {
  code: "request",
  message: "The picture does not say which prompt it was made from, and none was given.",
  hint: 'Give one as "prompt"; a reward scores how well a picture fits its prompt.',
};

type Outcome = ScoredPicture | Unusable;

const resultsOf = (pictures: readonly (Ready | Unusable)[], outcomes: ReadonlyMap<Ready, Outcome>): Result[] =>
  pictures.map((picture) => {
    if (!isReady(picture)) return failed(picture.error, null, null);
    const outcome = outcomes.get(picture)!;
    if ("error" in outcome) return failed(outcome.error, picture.prompt, picture.infotext);
    const { scores, total } = outcome;
    const infotext = picture.infotext === null ? null : infotextWithScores(picture.infotext, scores);
    return { scores, total, rank: null, kept: false, prompt: picture.prompt, infotext };
  });

const failed = (error: Unusable["error"], prompt: string | null, infotext: string | null): Result => ({
  scores: {},
  total: null,
  rank: null,
  kept: false,
  prompt,
  infotext,
  error,
});

function ranked(results: readonly Result[], limits: Limits): Result[] {
  const totals = results.flatMap(({ total }) => total ?? []);
  const ranks = ranksOf(totals);
  let next = 0;
  return results.map((result) =>
    result.total === null ? result : { ...result, rank: ranks[next++]!, kept: withinLimits(result.total, limits) },
  );
}

/** POST /info: as `renoir info --json`, of one picture. */
export const info: Handler<"info"> =
  (services) =>
  async ({ body, uploads }): Promise<InfoReply> => {
    const read = await readInfo(await findPicture(body.image, services, uploads), services);
    if ("error" in read) throw new ImageError(read.error.message);
    if (read.info.format !== "unknown") return read.info;
    throw new ImageError("The bytes are not those of a picture.", {
      hint: "Send a PNG, JPEG, WebP, AVIF, GIF or TIFF file as it is.",
    });
  };

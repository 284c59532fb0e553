// txt2img and img2img through the gateway: asked of the upstream, scored, put in order, and passed back. Whatever goes wrong with the
// scoring, the answer passes as it came, and a header says why.

import type { IncomingMessage, ServerResponse } from "node:http";
import { SystemError } from "../../errors.ts";
import { parseJsonObject } from "../../metadata/json.ts";
import { TooLargeError } from "../errors.ts";
import { clientOf } from "../fairness.ts";
import type { Services } from "../services.ts";
import { type Answer, arrange, picturesOf, readAnswer, type Score } from "./answer.ts";
import { ask, type Changed, type Passing, passBack, writeHead } from "./pass.ts";
import { askUpstream, headersFor, pairsOf, type RawHeaders, withoutHops } from "./upstream.ts";
import { readWish, scriptName, type Wish } from "./wish.ts";

/** Says what Renoir did with an answer's pictures, or why it did nothing. */
const noteHeader = "X-Renoir";
/** Of a request or an answer that is held while it is looked at; larger ones pass as they are. */
const heldLimit = 256 * 2 ** 20;

export const isGeneration = ({ method, url }: IncomingMessage): boolean =>
  method === "POST" && /^\/sdapi\/v1\/(txt2img|img2img)\/?(\?|$)/.test(url ?? "");

export async function passGeneration(
  request: IncomingMessage,
  response: ServerResponse,
  services: Services,
  passing: Passing,
): Promise<void> {
  const pass = async (changed: Changed) => passBack(await ask(request, response, passing, changed), response);
  if (!canBeHeld(request)) return pass({});
  const body = await readAll(request);
  const wish = readWish(body, services.settings.get().gateway);
  if (!wish) return pass({ body });
  if (wish.asked && (await hasPlugin(request, passing))) return pass(changedTo(wish.as));
  if (!wish.settings.enabled) return pass(changedTo(wish.without));
  const answer = await ask(request, response, passing, changedTo(wish.without, { plain: true }));
  await passScored(answer, response, { wish, services, client: clientOf(request) });
}

const canBeHeld = ({ headers }: IncomingMessage) =>
  headers["content-encoding"] === undefined && Number(headers["content-length"] ?? 0) <= heldLimit;

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > heldLimit) throw new TooLargeError(`More than ${heldLimit / 2 ** 20} MiB came without a length.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `plain`: an answer that is to be read should not be compressed. */
function changedTo(text: string, { plain = false } = {}): Changed {
  const body = Buffer.from(text);
  const gone = ["content-length", "transfer-encoding", ...(plain ? ["accept-encoding"] : [])];
  const added = ["Content-Length", String(body.length), ...(plain ? ["Accept-Encoding", "identity"] : [])];
  return { body, headers: (raw) => [...withoutHops(raw, gone), ...added] };
}

// ---- the plugin in the upstream

/** A host is restarted to get a plugin or lose it. */
const rememberMs = 60_000;
const remembered = new Map<string, { readonly until: number; readonly has: boolean }>();

/** Then it does the work, as it would without the gateway. */
async function hasPlugin(request: IncomingMessage, { upstream, policy }: Passing): Promise<boolean> {
  const known = remembered.get(upstream.href);
  if (known && performance.now() < known.until) return known.has;
  const headers = pairsOf(headersFor(upstream, request, policy)).filter(
    ([name]) => !/^(content-|transfer-|accept)/i.test(name),
  );
  try {
    const scripts = await scriptsOf(upstream, headers.flat());
    const has = scripts.some((script) => script.toLowerCase() === scriptName);
    remembered.set(upstream.href, { until: performance.now() + rememberMs, has });
    return has;
  } catch {
    return false; // an upstream without that list has no scripts, or says so itself when it is asked
  }
}

async function scriptsOf(upstream: URL, headers: RawHeaders): Promise<string[]> {
  const asking = askUpstream(upstream, { method: "GET", path: "/sdapi/v1/scripts", headers });
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    asking.once("response", resolve).once("error", reject).end();
  });
  const lists = parseJsonObject((await readAll(answer)).toString("utf8"));
  return Object.values(lists ?? {})
    .flat()
    .filter((name) => typeof name === "string");
}

// ---- the answer

interface Scoring {
  readonly wish: Wish;
  readonly services: Services;
  readonly client: string;
}

async function passScored(answer: IncomingMessage, response: ServerResponse, scoring: Scoring): Promise<void> {
  if (!isReadable(answer)) return passBack(answer, response);
  const body = await readAll(answer).catch(() => undefined);
  if (!body) return void response.destroy(); // it broke off
  const controller = new AbortController();
  response.once("close", () => controller.abort());
  const { text, note } = await rearranged(body, scoring, controller.signal);
  const changed = text === undefined ? body : Buffer.from(text);
  const headers = withoutHops(answer.rawHeaders, ["transfer-encoding", "content-length"]);
  writeHead(answer, response, [...headers, "Content-Length", String(changed.length), noteHeader, asciiOf(note)]);
  response.end(changed);
}

const isReadable = ({ statusCode, headers }: IncomingMessage) =>
  statusCode === 200 &&
  /^application\/json\b/.test(headers["content-type"] ?? "") &&
  (headers["content-encoding"] ?? "identity") === "identity" &&
  Number(headers["content-length"] ?? 0) <= heldLimit;

/** Headers hold no others. */
const asciiOf = (text: string) => text.replace(/[^ -~]+/g, " ").slice(0, 1000);

/** No text where the answer is to pass as it came. */
async function rearranged(
  body: Buffer,
  scoring: Scoring,
  signal: AbortSignal,
): Promise<{ text?: string; note: string }> {
  const { settings } = scoring.wish;
  try {
    const answer = readAnswer(body.toString("utf8"));
    if (!answer) return { note: "Not scored: the answer has no pictures with infotext." };
    const scores = await scoresOf(answer, scoring, signal);
    return await arrange(answer, scores, { sort: settings.sort, limit: settings.filter ? settings.limit : undefined });
  } catch (error) {
    if (!signal.aborted) scoring.services.log.warn({ err: error }, "A generation passed the gateway unscored.");
    return { note: `Not scored: ${(error as Error).message}` };
  }
}

async function scoresOf(answer: Answer, { wish, services, client }: Scoring, signal: AbortSignal): Promise<Score[]> {
  const names = wish.settings.rewards
    .split(/[,\n]/)
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const rewards = names.length > 0 ? names : services.settings.get().rewards;
  const pictures = picturesOf(answer).map(({ bytes, prompt }, i) => ({
    source: bytes,
    prompt,
    name: `Picture ${i + 1}`,
  }));
  const results = await services.engine.score(pictures, rewards, { signal, client });
  const failures = results.flatMap((result) => ("error" in result ? [result.error.message] : []));
  if (failures.length === results.length) throw new SystemError(failures[0]!);
  return results.map((result) => ("error" in result ? undefined : result));
}

// Where CLIP's vocabulary lies: beside a model as vocab.json and merges.txt or as tokenizer.json, or, for a checkpoint in a single
// file, among Renoir's own assets. Which tokens are special, the files beside it say; as transformers 4.57.1 reads them.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { WeightError } from "../errors.ts";
import { type ClipTokenizer, type ClipVocabulary, clipTokenizer, vocabularyOf } from "./clipTokenizer.ts";
import { isObject, type JsonObject, readJsonObject, readText } from "./jsonFile.ts";

let own: ClipVocabulary | undefined;

/** OpenAI's vocabulary of 49,408 tokens, the same for SD1 and SD2. */
export function clipVocabulary(): ClipVocabulary {
  own ??= vocabularyOf(mergesIn(gunzipSync(readFileSync(asset)).toString()));
  return own;
}

const asset = fileURLToPath(new URL("../../assets/clip/merges.txt.gz", import.meta.url));

/** The first line may say a version, and the last be empty. */
const mergesIn = (text: string): string[] => text.split(/\r?\n/).filter((line) => line && !line.startsWith("#version"));

/** The tokenizer of a model's folder; `places` is how many tokens its text encoder has places for. */
export async function readClipTokenizer(folder: string, places: number): Promise<ClipTokenizer> {
  const [vocabulary, config, map] = await Promise.all([
    readVocabulary(folder),
    readOptional(join(folder, "tokenizer_config.json")),
    readOptional(join(folder, "special_tokens_map.json")),
  ]);
  const decoder = isObject(config.added_tokens_decoder) ? config.added_tokens_decoder : undefined;
  // Since added_tokens_decoder is written, the map beside it is no longer read (tokenization_utils_base.py, _from_pretrained).
  const say = decoder ? config : { ...config, ...map };
  const limit = typeof config.model_max_length === "number" ? config.model_max_length : places;
  return clipTokenizer(withAdded(vocabulary, decoder), {
    name: folder,
    begin: contentOf(say.bos_token),
    end: contentOf(say.eos_token),
    unknown: contentOf(say.unk_token),
    pad: contentOf(say.pad_token),
    added: Object.values(decoder ?? {}).flatMap((token) => contentOf(token) ?? []),
    length: Math.min(limit, places),
  });
}

/** A token is written as its text, or as an object with its content. */
function contentOf(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  return isObject(token) && typeof token.content === "string" ? token.content : undefined;
}

function withAdded(vocabulary: ClipVocabulary, decoder: JsonObject | undefined): ClipVocabulary {
  const ids = new Map(vocabulary.ids);
  for (const [id, token] of Object.entries(decoder ?? {})) {
    const content = contentOf(token);
    if (content !== undefined && !ids.has(content)) ids.set(content, Number(id));
  }
  return { ...vocabulary, ids };
}

async function readVocabulary(folder: string): Promise<ClipVocabulary> {
  const [vocab, merges, whole] = ["vocab.json", "merges.txt", "tokenizer.json"].map((name) => join(folder, name));
  if (existsSync(vocab!) && existsSync(merges!)) {
    return { ids: idsIn(await readJsonObject(vocab!), vocab!), merges: mergesIn(await readText(merges!)) };
  }
  if (existsSync(whole!)) return readTokenizerJson(whole!);
  throw new WeightError(
    `${folder} has no vocabulary: neither vocab.json with merges.txt nor tokenizer.json is in it, and the prompt can not be read without.`,
    { hint: "Download the model's tokenizer folder." },
  );
}

const idsSchema = z.record(z.string(), z.number().int().nonnegative());

function idsIn(json: unknown, where: string): Map<string, number> {
  const { data } = idsSchema.safeParse(json);
  if (data) return new Map(Object.entries(data));
  throw new WeightError(`${where} is no vocabulary: an object that gives each token its number was wanted.`);
}

const tokenizerSchema = z.object({
  model: z.object({
    vocab: idsSchema,
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
    end_of_word_suffix: z.literal("</w>"),
  }),
});

async function readTokenizerJson(path: string): Promise<ClipVocabulary> {
  const { data, error } = tokenizerSchema.safeParse(await readJsonObject(path));
  if (error) {
    const { path: key, message } = error.issues[0]!;
    throw new WeightError(`${path} is no tokenizer of CLIP's kind: ${key.join(".")}: ${message}.`);
  }
  const merges = data.model.merges.map((pair) => (typeof pair === "string" ? pair : pair.join(" ")));
  return { ids: idsIn(data.model.vocab, path), merges };
}

const readOptional = async (path: string): Promise<JsonObject> => (existsSync(path) ? readJsonObject(path) : {});

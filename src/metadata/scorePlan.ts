// Where in a file its scores go. What hosts read stays the only one of its kind: a new `parameters` or UserComment beside ComfyUI's
// graph, a JPEG comment or a hidden text would shadow it for most readers.
import type { Carrier, Edit, ReadResult } from "./carriers/carrier.ts";
import { Texts } from "./dialects/dialect.ts";
import { isNovelai } from "./dialects/novelai.ts";
import { swarmJson } from "./dialects/swarmui.ts";
import { appendScores, hasParameterLine } from "./infotext.ts";
import { asNumber, asObject } from "./json.ts";
import { setInJson } from "./jsonEdit.ts";
import { formatRecord, parseRecord, RECORD, type ScoreRecord } from "./record.ts";
import { scorePairs } from "./scoreNames.ts";

export interface ScorePlan {
  edits: Edit[];
  /** What holds the scores, in people's words. */
  carrier: string;
}

/** null where the file has no place that could hold the scores without harm: a sidecar is for those. */
export function planScores(read: ReadResult, record: ScoreRecord): ScorePlan | null {
  const { scores } = record;
  const texts = replaceTexts(read.carriers, scores);
  const plan = texts ?? (read.format === "png" ? separateChunks(read.carriers, scores) : carryComment(read, scores));
  if (!plan || read.format !== "png") return plan;
  const chunk = setChunk(read.carriers, RECORD, formatRecord(mergeRecord(read.carriers, record)));
  return { ...plan, edits: [...plan.edits, ...chunk] };
}

/** Infotext with a parameter line and SwarmUI's JSON, in every place that has one: which of two wins differs by reader. */
function replaceTexts(carriers: Carrier[], scores: Record<string, number>): ScorePlan | null {
  if (isNovelai(new Texts(carriers))) return null; // its UserComment is signed
  const rewritten = carriers.filter(isMain).map((carrier) => ({ carrier, text: withScores(carrier.text, scores) }));
  const found = rewritten.filter(({ text }) => text !== null);
  if (found.length === 0) return null;
  const edits = found.map(({ carrier, text }): Edit => ({ do: "replace", carrier, text: text! }));
  return { edits, carrier: [...new Set(found.map(({ carrier }) => carrier.keyword))].join(", ") };
}

const isText = ({ kind }: Carrier) => kind === "tEXt" || kind === "iTXt" || kind === "zTXt";
const isMain = (carrier: Carrier) =>
  carrier.kind === "exif"
    ? carrier.keyword === "UserComment"
    : isText(carrier) && carrier.keyword.toLowerCase() === "parameters";

function withScores(text: string, scores: Record<string, number>): string | null {
  if (hasParameterLine(text)) return appendScores(text, scores);
  return swarmJson(text) ? mergeScoring(text, scores) : null;
}

/** The same for a text that is in no file yet; one that can not hold scores without harm comes back as it is. */
export const infotextWithScores = (text: string, scores: Record<string, number>): string =>
  withScores(text, scores) ?? text;

/** SwarmUI's sui_extra_data.scoring: other scorers stay, and so does the average, unless it is no more than theirs. */
export function mergeScoring(text: string, scores: Record<string, number>): string {
  const path = ["sui_extra_data", "scoring"];
  const before = scoringOf(text);
  const { average, ...others } = before;
  let merged = text;
  for (const { key, text: value } of scorePairs(scores))
    merged = setInJson(merged, [...path, key.slice(0, -" Score".length)], value);
  const ours = average === undefined || average === meanOf(others);
  if (!ours) return merged;
  const { average: _, ...all } = scoringOf(merged);
  return setInJson(merged, [...path, "average"], String(meanOf(all)));
}

function scoringOf(text: string): Record<string, number> {
  const scoring = asObject(asObject(swarmJson(text)?.sui_extra_data)?.scoring) ?? {};
  return Object.fromEntries(
    Object.entries(scoring).flatMap(([name, value]) => (asNumber(value) === null ? [] : [[name, asNumber(value)!]])),
  );
}

/** To four decimals, as the scores have. */
function meanOf(scores: Record<string, number>): number {
  const values = Object.values(scores);
  return Number((values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(4));
}

/** PNG without infotext: a chunk for each score, which no host takes for anything else. */
function separateChunks(carriers: Carrier[], scores: Record<string, number>): ScorePlan {
  const pairs = scorePairs(scores);
  const edits = pairs.flatMap(({ key, text }) => setChunk(carriers, key, text));
  return { edits, carrier: pairs.map(({ key }) => key).join(", ") };
}

/** All chunks of that keyword, or a new one. */
function setChunk(carriers: Carrier[], keyword: string, text: string): Edit[] {
  const present = carriers.filter((carrier) => isText(carrier) && carrier.keyword === keyword);
  if (present.length === 0) return [{ do: "add", kind: "text", keyword, text }];
  return present.map((carrier) => ({ do: "replace", carrier, text }));
}

/** A JPEG's comment is read only where no UserComment is, so its whole text goes there with the scores. */
function carryComment({ format, carriers }: ReadResult, scores: Record<string, number>): ScorePlan | null {
  if (format !== "jpeg" || carriers.some((carrier) => carrier.kind === "exif")) return null;
  const comment = carriers.findLast(({ kind, text }) => kind === "comment" && hasParameterLine(text));
  if (!comment) return null;
  return {
    edits: [{ do: "add", kind: "exif", tag: "UserComment", text: appendScores(comment.text, scores) }],
    carrier: "UserComment",
  };
}

/** Scores by other rewards for the same picture and prompt stay. */
function mergeRecord(carriers: Carrier[], record: ScoreRecord): ScoreRecord {
  const old = parseRecord(new Texts(carriers).chunk(RECORD));
  const same = old !== null && old.prompt === record.prompt && old.pixels === record.pixels;
  return same ? { ...record, model: record.model ?? old.model, scores: { ...old.scores, ...record.scores } } : record;
}

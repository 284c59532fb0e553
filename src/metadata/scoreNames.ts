// How scores are called and spelled in files, for every carrier alike.
import { MetadataError } from "../errors.ts";

/** Words of ASCII: '-', '.', '/' and '(' split or hide the key in at least one host's reader. */
const KEY = /^[A-Za-z0-9_][A-Za-z0-9_ ]+$/;
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;

/** Keys of other tools, kept under their own names: tsngo's and vladmandic's aesthetic scorers. */
const FOREIGN = new Set(["aesthetic_score", "Score"]);

/** "ImageReward" is written as "ImageReward Score", as ImageReward's own script has it. */
export function scoreKey(reward: string): string {
  const key = `${reward} Score`;
  if (!KEY.test(key) || reward.endsWith(" ") || key.length > 79) {
    throw new MetadataError(`"${reward}" can not name a score in a file: hosts cut or lose such a key.`, {
      hint: "Use ASCII letters, digits, spaces and _ only, at most 73 of them; HPSv21 instead of HPSv2.1.",
    });
  }
  return key;
}

/** Four decimals and a point, whatever the locale; never "-0.0000". */
export function scoreText(reward: string, score: number): string {
  if (!Number.isFinite(score) || Math.abs(score) >= 1e15) {
    throw new MetadataError(`The ${reward} score is ${score}, which no reader of infotext takes for a score.`, {
      hint: "Score the picture again; a reward that gives such values has damaged weights or overflows in float16.",
    });
  }
  const text = score.toFixed(4);
  return text === "-0.0000" ? "0.0000" : text;
}

/** Keys and texts in the order given; refuses what must not be written. */
export function scorePairs(scores: Record<string, number>): { key: string; text: string }[] {
  return Object.entries(scores).map(([reward, score]) => ({ key: scoreKey(reward), text: scoreText(reward, score) }));
}

/** The reward that a key names: "ImageReward Score" names "ImageReward"; null where it is no score's key. */
export function rewardOf(key: string): string | null {
  if (FOREIGN.has(key)) return key;
  return key.endsWith(" Score") && KEY.test(key) ? key.slice(0, -" Score".length) : null;
}

export function scoreValue(text: string): number | null {
  const trimmed = text.trim();
  return NUMBER.test(trimmed) ? Number(trimmed) : null;
}

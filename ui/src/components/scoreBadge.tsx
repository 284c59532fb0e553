// A score in its bucket's colour, and with its bucket's mark, so that colour is not all that tells.

import type { Scores } from "../../../src/server/api/common.ts";
import type { Bucket } from "../../../src/server/api/library.ts";
import type { Settings } from "../../../src/server/api/system.ts";
import { useSettings } from "../queries.ts";
import classes from "./scoreBadge.module.css";

export type Limits = Settings["limits"][string];

/** Where the settings say nothing of a reward: ImageReward's scores have mean 0 and deviation 1, and so have those made like it. */
const usualLimits: Limits = { weak: 0, great: 1 };

/** Rewards are named `ImageReward` where they scored and `imagereward` where they are asked for. */
const named = <T,>(values: Readonly<Record<string, T>> | undefined, reward: string): T | undefined =>
  values?.[reward] ?? Object.entries(values ?? {}).find(([name]) => name.toLowerCase() === reward.toLowerCase())?.[1];

export const limitsOf = (settings: Settings | undefined, reward: string): Limits =>
  named(settings?.limits, reward) ?? usualLimits;

export const scoreOf = (scores: Scores, reward: string): number | undefined => named(scores, reward);

export function bucketOf(score: number | undefined, { weak, great }: Limits): Bucket {
  if (score === undefined) return "unscored";
  return score >= great ? "great" : score < weak ? "weak" : "ok";
}

export const bucketMarks: Record<Bucket, string> = { great: "▲", ok: "●", weak: "▼", unscored: "○" };

/** Two digits tell pictures apart; all of them stand in the picture's details. */
export const formatScore = (score: number, digits = 2) => score.toFixed(digits).replace("-", "−");

export interface ScoreBadgeProps {
  readonly score: number | undefined;
  readonly reward: string;
  /** Default: the settings' limits for this reward. */
  readonly limits?: Limits;
  readonly showReward?: boolean;
}

export function ScoreBadge({ limits, ...shown }: ScoreBadgeProps) {
  return limits ? <Badge {...shown} limits={limits} /> : <SettingsBadge {...shown} />;
}

function SettingsBadge(shown: Omit<ScoreBadgeProps, "limits">) {
  const { data: settings } = useSettings();
  return <Badge {...shown} limits={limitsOf(settings, shown.reward)} />;
}

function Badge({ score, reward, limits, showReward = false }: ScoreBadgeProps & { limits: Limits }) {
  const bucket = bucketOf(score, limits);
  const said = score === undefined ? `not scored by ${reward}` : `${reward} ${formatScore(score)}, ${bucket}`;
  return (
    <span className={classes.badge} data-bucket={bucket} role="img" aria-label={said}>
      <span className={classes.mark}>{bucketMarks[bucket]}</span>
      {showReward && <span className={classes.reward}>{reward}</span>}
      {score === undefined ? "no score" : formatScore(score)}
    </span>
  );
}

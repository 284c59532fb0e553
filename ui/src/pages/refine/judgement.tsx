// What the rewards say of the picture that is shown, beside the one it began with.

import type { Job, JobStep } from "../../../../src/server/api/jobs.ts";
import { Card } from "../../components/card.tsx";
import { isAlive } from "../../components/jobsButton.tsx";
import { demoKnown, demoName } from "./demo.ts";
import { nameOf } from "./formValues.ts";
import { HonestPanel } from "./honestPanel.tsx";
import type { Chosen } from "./steps.ts";
import { changesOf } from "./verdict.ts";

export interface JudgementProps {
  readonly job: Job;
  readonly chosen: Chosen;
  /** Positions in the job's steps. */
  readonly shown: number;
  readonly best: number | undefined;
}

export function Judgement({ job, chosen, shown, best }: JudgementProps) {
  const running = isAlive(job);
  const index = running && chosen === undefined ? (best ?? shown) : shown;
  const step = job.steps[index];
  if (!step) return null;
  const { optimised, observed } = scoresFor(job, step, chosen === undefined || index === best);
  return (
    <Card title={running ? "Does it get better?" : "Did it get better?"}>
      <HonestPanel
        optimised={changesOf(optimised.before, optimised.after)}
        observed={changesOf(observed.before, observed.after)}
        after={`Step ${step.step}${index === best ? (running ? " (best so far)" : " (best)") : ""}`}
        known={knownOf(job)}
      />
    </Card>
  );
}

/** Of the result the scores of its file, which anyone gets who scores it; of a step those that it was judged by. */
function scoresFor({ steps, result }: Job, step: JobStep, ofResult: boolean) {
  const first = steps[0]!;
  return {
    optimised: (ofResult && result?.scores) || { before: first.rewards, after: step.rewards },
    observed: (ofResult && result?.observed) || { before: first.observed, after: step.observed },
  };
}

function knownOf({ request }: Job): string | undefined {
  const rewards = (request.rewards as string[] | undefined) ?? [];
  return rewards.some((reward) => nameOf(reward) === demoName) ? demoKnown : undefined;
}

// What is done with a picture once its score is known: the score is written into it, and it goes where it belongs.

import { writeScores } from "../metadata/index.ts";
import { itemError } from "../scoring/scorer.ts";
import { reject } from "../tasks/reject.ts";
import type { Plan } from "./options.ts";
import { errorBody, type ScoreLine } from "./output.ts";

/** The line with what became of its picture. A picture whose score could not be written is not moved either: its owner decides. */
export async function settle(
  line: ScoreLine,
  { write, rejection }: Pick<Plan, "write" | "rejection">,
): Promise<ScoreLine> {
  try {
    const gone = !line.kept && rejection.kind === "delete";
    if (write && !line.approximate && !gone) await writeScores(line.file, line.scores);
    return line.kept ? line : { ...line, ...(await reject(line.file, rejection)) };
  } catch (error) {
    return { ...line, error: errorBody(itemError(error, line.file)) };
  }
}

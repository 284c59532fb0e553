// Refine: /refine teaches, /refine?picture=ID begins with a picture of the library, /refine?from=JOB with what a job made,
// /refine?prompt with words alone, /refine/JOB shows a run.

import { useParams, useSearchParams } from "wouter";
import { RefineRun } from "./refineRun.tsx";
import { RefineFromJob, RefineFromPicture, RefineFromPrompt } from "./refineStart.tsx";
import { RefineWelcome } from "./refineWelcome.tsx";

export function RefinePage() {
  const { job } = useParams<{ job?: string }>();
  const [search] = useSearchParams();
  const picture = search.get("picture");
  const from = search.get("from");
  const index = Number(search.get("index") ?? 0);
  if (job) return <RefineRun key={job} id={job} />;
  if (picture) return <RefineFromPicture key={picture} id={picture} />;
  if (from) return <RefineFromJob key={`${from}/${index}`} id={from} index={index} />;
  if (search.has("prompt")) return <RefineFromPrompt prompt={search.get("prompt")!} />;
  return <RefineWelcome />;
}

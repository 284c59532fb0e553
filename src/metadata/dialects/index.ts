// The hosts in the order they are asked: those with marks of their own before those who take any text for a prompt.
import { a1111 } from "./a1111.ts";
import { comfyui } from "./comfyui.ts";
import type { Dialect, Reading, Texts } from "./dialect.ts";
import { drawThings } from "./drawThings.ts";
import { easyDiffusion } from "./easyDiffusion.ts";
import { fooocus } from "./fooocus.ts";
import { invokeai } from "./invokeai.ts";
import { novelai } from "./novelai.ts";
import { others } from "./others.ts";
import { sdnext } from "./sdnext.ts";
import { swarmui } from "./swarmui.ts";

/** Infotext with parameters tells more than a graph does, and a graph more than a text without parameters. */
const a1111WithParameters: Dialect = (texts) => {
  const reading = a1111(texts);
  return reading && reading.settings.size > 0 ? reading : null;
};

const DIALECTS: readonly Dialect[] = [
  swarmui,
  fooocus,
  novelai,
  drawThings,
  easyDiffusion,
  invokeai,
  sdnext,
  a1111WithParameters,
  comfyui,
  others,
  a1111,
];

export function readDialect(texts: Texts): Reading | null {
  for (const dialect of DIALECTS) {
    const reading = dialect(texts);
    if (reading) return reading;
  }
  return null;
}

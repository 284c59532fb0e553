// Whether a picture of that size can be drawn here at all, asked before it is tried: the system may end a process that takes too much.

import { SystemError } from "../errors.ts";
import { input, memoryOf } from "../graph/index.ts";
import { memoryFree } from "../reno/memoryPlan.ts";
import type { Conditioning, Pipeline, Size } from "../reno/pipeline.ts";

/** A picture of the model's own size is simply tried. */
export function refuseTooLarge(pipeline: Pipeline, { positive }: Conditioning, size: Size): void {
  const { width, height } = pipeline.size;
  if (size.width * size.height <= width * height) return;
  const noise = input("noise", pipeline.latentShape(size));
  const text = input("positive", [1, positive.tokens, positive.width]);
  const { image } = pipeline.picture(noise, { positive: text, guidance: 1, step: pipeline.step });
  const { activations, copies } = memoryOf({ image });
  const free = memoryFree();
  if (activations + copies <= free) return;
  const [wants, has] = [activations + copies, free].map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`);
  throw new SystemError(
    `A picture of ${size.width}x${size.height} takes ${wants} with ${pipeline.name}, but ${has} are free.`,
    { hint: `${pipeline.name} was made for ${width}x${height}: give a smaller --size.` },
  );
}

// The parts of a text-to-image model: text encoder, U-Net and autoencoder, and their gradients.

import { decodeFloat32 } from "../../support/compare.ts";
import {
  decodeCases,
  decodeOf,
  encodeCases,
  encodeOf,
  type Given,
  textCases,
  textOf,
  unetCases,
  unetOf,
} from "../../support/diffusionCases.ts";
import { gradientDifferences, type Recorded, relative } from "../../support/referenceDiffusion.ts";
import { type Row, row } from "./table.ts";

export async function diffusionRows(): Promise<Row[]> {
  return [
    ...(await partRows("text encoder", textCases, textOf)),
    ...(await partRows("U-Net", unetCases, unetOf)),
    ...(await partRows("autoencoder, decoded", decodeCases, decodeOf)),
    ...(await partRows("autoencoder, encoded", encodeCases, encodeOf)),
  ];
}

async function partRows<C extends Recorded>(
  part: string,
  cases: readonly C[],
  of: (want: C) => Promise<Given>,
): Promise<Row[]> {
  const outputs: number[] = [];
  const gradients: number[] = [];
  for (const want of cases) {
    const { got } = await of(want);
    const { output, gradient, logVariance } = want as Recorded & { readonly logVariance?: string };
    outputs.push(relative(got.output!, decodeFloat32(output)));
    if (logVariance) outputs.push(relative(got.logVariance!, decodeFloat32(logVariance)));
    if (gradient) gradients.push(...Object.values(gradientDifferences(got.gradient!, gradient)));
  }
  const rows = [row(part, outputs, 1e-4)];
  return gradients.length > 0 ? [...rows, row(`${part}, gradient`, gradients, 1e-3)] : rows;
}

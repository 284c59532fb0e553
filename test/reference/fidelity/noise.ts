// Starting noise: of many seeds, sizes and dtypes, as torch and each host draw it.

import {
  hashed,
  hosts,
  noiseDifferences,
  noiseHash,
  stored,
  storedOf,
  streamDifferences,
} from "../../support/storedNoise.ts";
import { largest, type Row, row } from "./table.ts";

export function noiseRows(): Row[] {
  const byHost = hosts.map((host) => {
    const differences = storedOf(host).map((one) => largest(Object.values(noiseDifferences(one))));
    return row(`noise, ${host ?? "torch.randn"}`, differences, 1e-6);
  });
  const streams = stored.streams.flatMap(streamDifferences);
  const unlike = hashed.map((one) => Number(noiseHash(one) !== one.sha256));
  return [...byHost, row("noise, draw after draw", streams, 1e-6), row("noise, other bits on the CPU", unlike, 0)];
}

// Whether a provider works here: a real run with a known result. In a process of its own, since a faulty driver can end the one it runs in.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { chooseDType, compile, input, listProviders, matmul, type Provider } from "../graph/index.ts";

export interface Probe {
  readonly works: boolean;
  /** Of one multiplication of two 512 x 512 matrices, the fastest of three. */
  readonly ms?: number | undefined;
  /** What pictures are computed in there unless something else is asked. */
  readonly dtype?: string | undefined;
  /** Why not. */
  readonly reason?: string | undefined;
}

const probe = z.object({
  works: z.boolean(),
  ms: z.number().optional(),
  dtype: z.string().optional(),
  reason: z.string().optional(),
});

const SIDE = 512;
/** A provider compiles its kernels on first use; on a software GPU that takes seconds. */
const LIMIT_MS = 120_000;
/** The launcher lies at the same place beside src/ and dist/. */
const launcher = fileURLToPath(new URL("../../bin/renoir.mjs", import.meta.url));

/** Runs the test in this process. */
export async function probeHere(provider: Provider): Promise<Probe> {
  // The runtime itself only warns about a provider that it has not, and goes on without.
  if (!(await listProviders()).includes(provider))
    return { works: false, reason: "its driver or library is not there" };
  try {
    return await multiply(provider);
  } catch (error) {
    return { works: false, reason: firstLine((error as Error).message) };
  }
}

/** Runs the test in a child process; one that crashes or hangs is a reason like any other. */
export function probeApart(provider: Provider): Promise<Probe> {
  const args = [launcher, "doctor", "--json", "--probe", provider];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: LIMIT_MS }, (error, stdout) => {
      resolve(parseProbe(stdout) ?? { works: false, reason: endOf(error) });
    });
  });
}

function parseProbe(stdout: string): Probe | undefined {
  try {
    return probe.parse(JSON.parse(stdout));
  } catch {
    return undefined;
  }
}

function endOf(error: (Error & { killed?: boolean; signal?: NodeJS.Signals | null; code?: unknown }) | null): string {
  if (error?.killed) return `the test did not end within ${LIMIT_MS / 1000} s`;
  if (error?.signal) return `the driver crashed (${error.signal})`;
  return `the test ended without a result (exit code ${error?.code ?? 0})`;
}

/** Small whole numbers, so that float32 sums are exact in any order and the result is one number for all providers. */
async function multiply(provider: Provider): Promise<Probe> {
  const values = Float32Array.from({ length: SIDE * SIDE }, (_, i) => (i * 7) % 5);
  const product = matmul(input("a", [SIDE, SIDE]), input("b", [SIDE, SIDE]));
  const session = await compile({ product }, { provider });
  try {
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const began = performance.now();
      const { product: found } = await session.run({ a: values, b: values });
      times.push(performance.now() - began);
      const problem = difference(values, found!);
      if (problem) return { works: false, reason: problem };
    }
    return {
      works: true,
      ms: Math.round(Math.min(...times) * 100) / 100,
      dtype: await chooseDType("auto", { provider }),
    };
  } finally {
    await session.release();
  }
}

/** Checks the diagonal: each row and column takes part once. */
function difference(values: Float32Array, product: Float32Array): string | undefined {
  for (let i = 0; i < SIDE; i++) {
    let wanted = 0;
    for (let k = 0; k < SIDE; k++) wanted += values[i * SIDE + k]! * values[k * SIDE + i]!;
    const found = product[i * SIDE + i]!;
    if (found !== wanted) return `it computes wrongly: ${found} where ${wanted} is right`;
  }
  return undefined;
}

const firstLine = (text: string) => text.split("\n")[0]!.slice(0, 300);

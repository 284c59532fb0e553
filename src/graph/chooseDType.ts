// What a model computes in where nobody said it: float16 on a GPU that can, for half the memory; float32 on the CPU, where
// float16 is slower (docs/pitfalls.md).

import { cast } from "./ops/elementwise.ts";
import { matmul } from "./ops/linear.ts";
import type { ComputeDType } from "./precision.ts";
import { type CompileOptions, compile, listProviders, type Provider } from "./session.ts";
import { input } from "./tensor.ts";

/** Of a provider ("auto": the best that there is), by a real product; a GPU may lack float16, as software Vulkans do. */
export async function fastDType({ provider = "auto" }: CompileOptions): Promise<ComputeDType> {
  const [best = "cpu"] = provider === "auto" ? await listProviders() : [provider];
  return best !== "cpu" && (await multipliesInFloat16(best)) ? "float16" : "float32";
}

const tried = new Map<Provider, Promise<boolean>>();

function multipliesInFloat16(provider: Provider): Promise<boolean> {
  if (!tried.has(provider))
    tried.set(
      provider,
      multiplied(provider).catch(() => false),
    );
  return tried.get(provider)!;
}

async function multiplied(provider: Provider): Promise<boolean> {
  const x = cast(input("x", [8, 8]), "float16");
  const session = await compile({ y: cast(matmul(x, x), "float32") }, { provider });
  const { y } = await session.run({ x: new Float32Array(64).fill(0.5) }).finally(() => session.release());
  return y!.every((each) => each === 2); // 8 · ½ · ½
}

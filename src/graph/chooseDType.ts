// What a model computes in where nobody said it: float16 on a GPU that can, for half the memory; float32 on the CPU, where
// float16 is slower (docs/pitfalls.md).

import { SystemError } from "../errors.ts";
import { cast } from "./ops/elementwise.ts";
import { matmul } from "./ops/linear.ts";
import type { ComputeDType } from "./precision.ts";
import { type CompileOptions, compile, listProviders, type Provider } from "./session.ts";
import { input } from "./tensor.ts";

type Wanted = Provider | "auto";

/** Throws SystemError where float16 is asked of a GPU that has none, as software Vulkans have not. */
export async function chooseDType(
  wanted: ComputeDType | "auto",
  { provider = "auto" }: CompileOptions,
): Promise<ComputeDType> {
  if (wanted === "float32") return wanted;
  const [best] = provider === "auto" ? await listProviders() : [provider];
  const multiplied = best === "cpu" ? Promise.resolve(best) : multipliedBy(provider);
  if (wanted === "auto") return (await multiplied.catch(() => "cpu")) === "cpu" ? "float32" : "float16";
  await multiplied;
  return wanted;
}

const tried = new Map<Wanted, Promise<Provider>>();

/** What of the wanted computes a product in float16. */
function multipliedBy(wanted: Wanted): Promise<Provider> {
  if (!tried.has(wanted)) tried.set(wanted, multiply(wanted));
  return tried.get(wanted)!;
}

async function multiply(wanted: Wanted): Promise<Provider> {
  const x = cast(input("x", [8, 8]), "float16");
  const session = await compile({ y: cast(matmul(x, x), "float32") }, { provider: wanted, quiet: true });
  try {
    const { y } = await session.run({ x: new Float32Array(64).fill(0.5) });
    if (y!.some((each) => each !== 2)) throw new Error(`8 · ½ · ½ came out as ${y![0]}`);
    return session.provider;
  } catch (cause) {
    throw new SystemError(`The provider ${session.provider} does not compute in float16 on this machine.`, {
      hint: "Leave --dtype out, or take --dtype float32.",
      cause,
    });
  } finally {
    await session.release();
  }
}

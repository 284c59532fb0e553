// Graphs that run: the only file that knows onnxruntime-node.

import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { RequestError, ShapeError, SystemError } from "../errors.ts";
import { type LoweredModel, lower } from "./onnx.ts";
import { elementCount, type NumericArray, type Tensor } from "./tensor.ts";

/** Where a graph runs; the first that works where "auto" is asked. */
export const providers = ["cuda", "dml", "coreml", "webgpu", "cpu"] as const;
export type Provider = (typeof providers)[number];

export interface CompileOptions {
  /** Default "auto": the best that works here, the CPU at last. */
  readonly provider?: Provider | "auto" | undefined;
  /** Threads of one operator; default: all cores. */
  readonly threads?: number | undefined;
  /**
   * Copy weights into the order the CPU's matrix kernels like best. 5-8 % faster at scoring, at the cost of
   * a copy of the weights; without it they stay mapped where they lie. Default false.
   */
  readonly prepack?: boolean | undefined;
  /** Values, by names, that are fed instead of computed: where a graph is cut in two. */
  readonly cuts?: Readonly<Record<string, Tensor>> | undefined;
  /** Leave what goes wrong to whoever catches it, and off the terminal. Default false. */
  readonly quiet?: boolean | undefined;
  /** Write a profile (JSON, chrome://tracing) with this prefix when the session is released. */
  readonly profile?: string | undefined;
}

export type Feeds = Readonly<Record<string, NumericArray>>;
/** Integers come back as BigInt64Array, float16 as its bits; `Results` of the usual graphs are float32. */
export type Results = Record<string, Float32Array>;

// Loading the runtime takes 0.1 s that commands like `info` need not pay.
let runtime: Promise<typeof import("onnxruntime-node")> | undefined;
const loadRuntime = () => (runtime ??= import("onnxruntime-node"));

/** What can be tried here, best first; whether each really works only a run can tell. */
export async function listProviders(): Promise<Provider[]> {
  return (await builtProviders()).filter((provider) => present[provider]?.() ?? true);
}

async function builtProviders(): Promise<Provider[]> {
  const { listSupportedBackends } = await loadRuntime();
  const built = listSupportedBackends().map(({ name }) => name);
  return providers.filter((provider) => built.includes(provider));
}

// Asked of the machine first, since the runtime prints to the terminal when it looks in vain.
const present: Partial<Record<Provider, () => boolean>> = {
  cuda: () => existsSync(join(runtimeFolder(), cudaLibrary)),
  webgpu: () => process.platform !== "linux" || vulkanDriverIsInstalled(),
};

const cudaLibrary =
  process.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so";

/** Where onnxruntime-node keeps this platform's libraries. */
const runtimeFolder = () =>
  join(
    dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json")),
    "bin/napi-v6",
    process.platform,
    process.arch,
  );

/** Vulkan's loader finds its drivers through these variables and folders (Vulkan loader interface, "Driver Discovery"). */
function vulkanDriverIsInstalled(): boolean {
  if (process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES) return true;
  const roots = ["/etc", "/usr/share", "/usr/local/share", `${process.env.HOME}/.local/share`];
  return roots.some(
    (root) => existsSync(join(root, "vulkan/icd.d")) && readdirSync(join(root, "vulkan/icd.d")).length > 0,
  );
}

// A provider that has failed to start once is not tried again by "auto": each try costs time and noise.
const unusable = new Map<Provider, string>();

/** Builds a session whose run gives `outputs` by their names. Throws SystemError where the provider cannot run it. */
export async function compile(
  outputs: Readonly<Record<string, Tensor>>,
  options: CompileOptions = {},
): Promise<Session> {
  const model = await lower(outputs, options.cuts);
  const wanted = options.provider ?? "auto";
  const candidates = wanted === "auto" ? await listProviders() : [await builtProvider(wanted)];
  const failures: string[] = [];
  for (const provider of candidates) {
    const known = wanted === "auto" && unusable.get(provider);
    if (known) {
      failures.push(known);
      continue;
    }
    try {
      return new Session(await createSession(model, provider, options), model, outputs, provider, failures);
    } catch (cause) {
      failures.push(`${provider}: ${(cause as Error).message.trim()}`);
      if (provider !== "cpu") unusable.set(provider, failures.at(-1)!);
    }
  }
  throw new SystemError(`The model could not be started. ${failures.join("; ")}`, {
    hint: wanted === "auto" ? "`renoir doctor` shows what runs here." : "Try --provider cpu, or ask `renoir doctor`.",
  });
}

/** The provider of that name. One that is not in this build the runtime would only warn about, and use the CPU. */
async function builtProvider(name: string): Promise<Provider> {
  const known = providers.find((provider) => provider === name);
  if (!known) {
    throw new RequestError(`There is no provider ${JSON.stringify(name)}; there are auto, ${providers.join(", ")}.`);
  }
  const built = await builtProviders();
  if (built.includes(known)) return known;
  throw new SystemError(`onnxruntime has no provider ${known} on ${process.platform}; it has ${built.join(", ")}.`, {
    hint: "Take auto, or ask `renoir doctor` what works here.",
  });
}

async function createSession(
  model: LoweredModel,
  provider: Provider,
  options: CompileOptions,
): Promise<InferenceSession> {
  const ort = await loadRuntime();
  return ort.InferenceSession.create(model.bytes, sessionOptions(model.folder, provider, options));
}

/** What the runtime is told, for weights that lie below `folder`. */
export function sessionOptions(
  folder: string,
  provider: Provider,
  { threads = availableParallelism(), prepack = false, quiet = false, profile }: CompileOptions,
): InferenceSession.SessionOptions {
  return {
    executionProviders: provider === "cpu" ? ["cpu"] : [provider, "cpu"],
    graphOptimizationLevel: "extended", // "all" gains 4 % on a UNet and copies 2.2 GB
    executionMode: "sequential",
    intraOpNumThreads: threads,
    enableMemPattern: false, // with it the second run's activations nearly double
    logSeverityLevel: quiet ? 4 : 3,
    ...(profile ? { enableProfiling: true, profileFilePrefix: profile } : {}),
    extra: {
      session: {
        disable_prepacking: prepack ? "0" : "1",
        model_external_initializers_file_folder_path: folder,
      },
    },
  };
}

/** A compiled graph. Runs one at a time are fastest; release it to give its memory back. */
export class Session {
  readonly provider: Provider;
  /** Why better providers were passed over. */
  readonly fallbacks: readonly string[];
  readonly nodeCount: number;
  readonly #session: InferenceSession;
  readonly #inputs: LoweredModel["inputs"];
  readonly #outputs: readonly string[];

  constructor(
    session: InferenceSession,
    model: LoweredModel,
    outputs: Readonly<Record<string, Tensor>>,
    provider: Provider,
    fallbacks: readonly string[],
  ) {
    this.#session = session;
    this.#inputs = model.inputs;
    this.#outputs = Object.keys(outputs);
    this.provider = provider;
    this.fallbacks = fallbacks;
    this.nodeCount = model.nodeCount;
  }

  /** The outputs for the inputs' values. Throws ShapeError where a feed is missing or has another length. */
  async run(feeds: Feeds): Promise<Results> {
    const ort = await loadRuntime();
    const tensors: Record<string, OrtTensor> = {};
    for (const { name, shape, dtype } of this.#inputs) {
      const data = feeds[name];
      if (!data) throw new ShapeError(`The graph's input ${name} [${shape.join(", ")}] was not given.`);
      if (data.length !== elementCount(shape)) {
        throw new ShapeError(`The input ${name} [${shape.join(", ")}] was given ${data.length} numbers.`);
      }
      tensors[name] = new ort.Tensor(dtype as "float32", data as Float32Array, shape);
    }
    const results = await this.#session.run(tensors);
    return Object.fromEntries(this.#outputs.map((name) => [name, results[name]!.data as Float32Array]));
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

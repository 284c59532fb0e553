// `renoir doctor`: what this machine can run, tried for real, and what to do about what is missing.

import { access, constants, readFile, statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, freemem, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { type Command, Option } from "commander";
import { type Provider, providers } from "../graph/index.ts";
import { loadPipeline } from "../reno/loadPipeline.ts";
import { choosePlan, describeChoice } from "../reno/memoryPlan.ts";
import { partsOf } from "../reno/stepGraph.ts";
import { gigabytes } from "../scoring/download.ts";
import { loadReward } from "../scoring/loadReward.ts";
import { renoirHome } from "../scoring/store.ts";
import { reportModels } from "../tasks/models.ts";
import { jsonLine } from "./output.ts";
import { type Probe, probeApart, probeHere } from "./probe.ts";
import { hostStatuses } from "./status.ts";

export interface Finding {
  readonly check: string;
  /** ok; note: Renoir runs, something could be had; problem: something that is needed does not work. */
  readonly state: "ok" | "note" | "problem";
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string | undefined;
}

export interface Surroundings {
  readonly home: string;
  readonly probe: (provider: Provider) => Promise<Probe>;
  /** Folders to look for hosts in; the usual ones unless given. */
  readonly places?: readonly string[] | undefined;
}

/** ImageReward's checkpoint has 1.79 GB; scoring maps all of it and computes beside it. */
const SCORING_BYTES = 3e9;
const PULL_BYTES = 2.1e9;

/** Each check by itself: one that fails says so and the others go on. In the order they are read. */
const checks: readonly ((around: Surroundings) => Promise<Finding[]>)[] = [
  checkNode,
  checkRuntime,
  checkProviders,
  checkMemory,
  checkHome,
  checkDisk,
  checkModels,
  checkRefining,
  checkHosts,
];

/** What `renoir doctor` finds, check by check, each as soon as it is known. */
export async function* examine(around: Surroundings): AsyncGenerator<Finding> {
  for (const check of checks) {
    yield* await check(around).catch((error: Error): Finding[] => [
      { check: check.name.replace(/^check/, "").toLowerCase(), state: "problem", found: error.message },
    ]);
  }
}

const manifestOf = async (file: string | URL) => JSON.parse(await readFile(file, "utf8"));

async function checkNode(): Promise<Finding[]> {
  const { version, engines } = await manifestOf(new URL("../../package.json", import.meta.url));
  return [
    {
      check: "node",
      state: "ok",
      found: `Node ${process.versions.node} runs Renoir ${version} (wants ${engines.node})`,
    },
  ];
}

async function checkRuntime(): Promise<Finding[]> {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  const { version } = await manifestOf(join(dirname(dirname(entry)), "package.json"));
  return [{ check: "onnxruntime", state: "ok", found: `${version} for ${process.platform} ${process.arch}` }];
}

// ---- providers

/** What to do where a provider does not work; the CPU's failure alone is a problem, since all else can do without. */
const providerAdvice: Readonly<Record<Provider, string>> = {
  cpu: "Install the dependencies again: delete node_modules and run the same command.",
  webgpu: "It needs a GPU with a current Vulkan, D3D12 or Metal driver. Without one Renoir computes on the CPU.",
  cuda: "It needs an NVIDIA GPU and onnxruntime's CUDA libraries, which are a separate download. The WebGPU provider runs on NVIDIA too.",
  dml: "It needs Windows with a DirectX 12 GPU and its current driver.",
  coreml: "It needs macOS 13 or later.",
};

/** What onnxruntime is made with for each system, the CPU apart; whether the machine can use it, the test says. */
const offered: Readonly<Partial<Record<NodeJS.Platform, readonly Provider[]>>> = {
  linux: ["webgpu", "cuda"],
  win32: ["dml", "webgpu", "cuda"],
  darwin: ["coreml", "webgpu"],
};

async function checkProviders({ probe }: Surroundings): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const provider of ["cpu", ...(offered[process.platform] ?? [])] as const) {
    findings.push(describeProbe(provider, await probe(provider)));
  }
  return findings;
}

function describeProbe(provider: Provider, { works, ms, dtype, reason }: Probe): Finding {
  const check = `provider ${provider}`;
  const pictures = dtype ? `; pictures are computed in ${dtype}` : "";
  if (works) return { check, state: "ok", found: `works; two 512 x 512 matrices multiplied in ${ms} ms${pictures}` };
  const state = provider === "cpu" ? "problem" : "note";
  return { check, state, found: `does not work: ${reason}`, advice: providerAdvice[provider] };
}

// ---- the machine

async function checkMemory(): Promise<Finding[]> {
  const found = `${gigabytes(freemem())} of ${gigabytes(totalmem())} free, ${availableParallelism()} cores`;
  if (freemem() >= SCORING_BYTES) return [{ check: "memory", state: "ok", found }];
  const advice = `Scoring with ImageReward wants about ${gigabytes(SCORING_BYTES)}: close other programs first.`;
  return [{ check: "memory", state: "note", found, advice }];
}

async function checkHome({ home }: Surroundings): Promise<Finding[]> {
  const given = process.env.RENOIR_HOME
    ? "set by RENOIR_HOME"
    : "the platform's place for data; RENOIR_HOME names another";
  const found = `${home} (${given})`;
  const writable = await access(await existingParent(home), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (writable) return [{ check: "data folder", state: "ok", found }];
  const advice = "Make it writable, or set RENOIR_HOME to a folder that is.";
  return [{ check: "data folder", state: "problem", found: `${found} can not be written`, advice }];
}

async function checkDisk({ home }: Surroundings): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(await existingParent(home));
  const found = `${gigabytes(bavail * bsize)} free for the data folder`;
  if (bavail * bsize >= PULL_BYTES) return [{ check: "disk", state: "ok", found }];
  const advice = `Fetching ImageReward needs ${gigabytes(PULL_BYTES)}: free some space, or set RENOIR_HOME to a larger disk.`;
  return [{ check: "disk", state: "note", found, advice }];
}

/** The folder itself, or the nearest one above it that is there. */
async function existingParent(folder: string): Promise<string> {
  const there = await access(folder).then(
    () => true,
    () => false,
  );
  return there || dirname(folder) === folder ? folder : existingParent(dirname(folder));
}

// ---- models and hosts

async function checkModels({ home }: Surroundings): Promise<Finding[]> {
  const models = await reportModels(home);
  return models.map(({ name, kind, state, builtIn, path, problem }) => ({
    check: `${kind} ${name}`,
    state: state === "ready" ? "ok" : builtIn ? "problem" : "note",
    found: state === "ready" ? `${path}${builtIn ? " (built in, a demo model)" : ""}` : state,
    advice: problem && (builtIn ? `${problem} Install Renoir again: this copy is incomplete.` : problem),
  }));
}

/** What refining a picture takes by each memory plan, for every pipeline that is here; reckoned from the graphs, nothing is loaded. */
async function checkRefining({ home }: Surroundings): Promise<Finding[]> {
  const models = (await reportModels(home)).filter(({ state }) => state === "ready");
  const reward = models.find(({ name }) => name === "imagereward") ?? models.find(({ kind }) => kind === "reward");
  const findings: Finding[] = [];
  for (const { name, path } of models.filter(({ kind }) => kind === "pipeline")) {
    findings.push(
      await describeRefining(name, path ?? name, reward?.name ?? "shapes").catch(
        (error: Error): Finding => ({ check: `refine ${name}`, state: "note", found: error.message }),
      ),
    );
  }
  return findings;
}

async function describeRefining(name: string, path: string, rewardName: string): Promise<Finding> {
  const pipeline = await loadPipeline(path, { provider: "cpu" });
  const reward = await loadReward(rewardName, { provider: "cpu" });
  const choice = await choosePlan(
    partsOf({
      pipeline,
      rewards: [{ reward }],
      prompt: "",
      provider: "cpu",
      conditioning: pipeline.blankConditioning(),
    }),
  );
  const { width, height } = pipeline.size;
  const found = `${width}x${height} with ${rewardName}: ${describeChoice(choice)}`;
  if (choice.fits) return { check: `refine ${name}`, state: "ok", found };
  return {
    check: `refine ${name}`,
    state: "note",
    found,
    advice: "Close other programs first, or refine at a smaller --size.",
  };
}

async function checkHosts({ places }: Surroundings): Promise<Finding[]> {
  const hosts = await hostStatuses(places);
  if (hosts.length === 0) {
    const found = "no A1111, Forge, SD.Next or ComfyUI in this folder, beside it or in the home folder";
    return [{ check: "hosts", state: "ok", found }];
  }
  return hosts.map(({ name, path, pictures, version, plugin, advice }) => ({
    check: `host ${name}`,
    state: version !== null && advice ? "note" : "ok",
    found: `${path}, ${version === null ? "without Renoir's plugin" : `with Renoir's plugin ${version} (${plugin})`}`,
    advice: advice ?? `Score its pictures: renoir score "${pictures}" --recursive`,
  }));
}

// ---- the command

export function registerDoctor(program: Command): void {
  program
    .command("doctor")
    .description("what this machine can run, tried for real, and what to do about what is missing")
    .option("--json", "one JSON object a line")
    .addOption(
      new Option("--probe <provider>", "run one provider's test in this process").choices(providers).hideHelp(),
    )
    .addHelpText("after", "\nExample:\n  renoir doctor\n")
    .action(async ({ json, probe }) => {
      if (probe) process.stdout.write(jsonLine(await probeHere(probe)));
      else await printFindings(json);
    });
}

async function printFindings(json: boolean | undefined): Promise<void> {
  for await (const finding of examine({ home: renoirHome(), probe: probeApart })) {
    process.stdout.write(json ? jsonLine(finding) : describeFinding(finding));
    if (finding.state === "problem") process.exitCode = 1;
  }
}

const marks: Readonly<Record<Finding["state"], string>> = { ok: "ok     ", note: "note   ", problem: "PROBLEM" };

function describeFinding({ check, state, found, advice }: Finding): string {
  return `${marks[state]}  ${check.padEnd(18)} ${found}\n${advice ? `${" ".repeat(28)} ${advice}\n` : ""}`;
}

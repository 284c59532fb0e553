import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { examine, type Finding } from "../../src/cli/doctor.ts";
import { probeHere } from "../../src/cli/probe.ts";
import { addStored } from "../../src/scoring/store.ts";
import { findHosts } from "../../src/tasks/nearbyHosts.ts";
import { writeDiffusersFolder } from "../support/tinyPipelines.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "renoir doctor "));
});

async function make(...files: string[]) {
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), "");
  }
}

test("the CPU multiplies two matrices rightly, and says in what time", async () => {
  const { works, ms, reason } = await probeHere("cpu");
  expect({ works, reason }).toEqual({ works: true, reason: undefined });
  expect(ms).toBeGreaterThan(0);
});

test("a provider that this machine has not is a reason, not an exception", async () => {
  const { works, reason } = await probeHere(process.platform === "darwin" ? "dml" : "coreml");
  expect(works).toBe(false);
  expect(reason).toBe("its driver or library is not there");
});

test("doctor reports every part once, and a broken provider beside what to do about it", async () => {
  const findings: Finding[] = [];
  const probe = async (provider: string) =>
    provider === "cpu" ? { works: true, ms: 1.5 } : { works: false, reason: "the driver crashed (SIGSEGV)" };
  for await (const finding of examine({ home: folder, probe, places: [folder] })) findings.push(finding);
  const checks = findings.map(({ check }) => check);
  expect(new Set(checks).size).toBe(checks.length);
  for (const check of [
    "node",
    "onnxruntime",
    "provider cpu",
    "memory",
    "data folder",
    "disk",
    "reward imagereward",
    "hosts",
  ]) {
    expect(checks).toContain(check);
  }
  expect(findings.find(({ check }) => check === "provider cpu")).toMatchObject({
    state: "ok",
    found: "works; two 512 x 512 matrices multiplied in 1.5 ms",
  });
  for (const { check, state, found, advice } of findings) {
    if (!check.startsWith("provider ") || check === "provider cpu") continue;
    expect({ state, found }).toEqual({ state: "note", found: "does not work: the driver crashed (SIGSEGV)" });
    expect(advice).toMatch(/^It needs /);
  }
});

test("hosts are told apart by the files that only they have", async () => {
  await make("webui/modules/processing.py", "webui/webui.py", "webui/modules_forge/initialization.py");
  await make("automatic/modules/processing.py", "automatic/webui.py", "automatic/installer.py");
  await make("stable-diffusion-webui/modules/processing.py", "stable-diffusion-webui/webui.py");
  await make("ComfyUI/main.py", "ComfyUI/nodes.py", "ComfyUI/comfy/sd.py", "other/webui.py");
  expect(await findHosts([folder])).toEqual([
    { id: "comfyui", name: "ComfyUI", path: join(folder, "ComfyUI"), pictures: join(folder, "ComfyUI", "output") },
    { id: "sdnext", name: "SD.Next", path: join(folder, "automatic"), pictures: join(folder, "automatic", "outputs") },
    {
      id: "a1111",
      name: "A1111",
      path: join(folder, "stable-diffusion-webui"),
      pictures: join(folder, "stable-diffusion-webui", "outputs"),
    },
    { id: "forge", name: "Forge", path: join(folder, "webui"), pictures: join(folder, "webui", "outputs") },
  ]);
});

test("a host is also found from inside its own folder, and a place that is not there is no error", async () => {
  await make("ComfyUI/main.py", "ComfyUI/nodes.py", "ComfyUI/comfy/sd.py");
  const found = await findHosts([join(folder, "ComfyUI"), join(folder, "nowhere")]);
  expect(found.map(({ name }) => name)).toEqual(["ComfyUI"]);
});

test("doctor reckons what refining takes with a pipeline that is here", async () => {
  const path = join(folder, "turbo");
  await writeDiffusersFolder(path, "turbo");
  await addStored({ name: "small-turbo", path }, folder);
  const findings: Finding[] = [];
  const probe = async () => ({ works: true, ms: 1 });
  for await (const finding of examine({ home: folder, probe, places: [folder] })) findings.push(finding);
  const { state, found } = findings.find(({ check }) => check === "refine small-turbo")!;
  expect(state).toBe("ok");
  expect(found).toMatch(/^\d+x\d+ with shapes: Memory: needs \S+ GB whole, \S+ GB recomputing, \S+ GB in segments; /);
});

import { existsSync } from "node:fs";
import { chmod, cp, lstat, mkdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { findPlace, hostIds, install, lookAt, uninstall } from "../../src/extension/installer.ts";
import { manifest, root } from "../../src/extension/manifest.ts";
import { freshFolder, run } from "../cli/command.ts";
import { listing, make, makeHost } from "./hosts.ts";

let folder: string;
beforeEach(async () => {
  folder = await freshFolder();
});

const targetOf = (id: string) => (id === "comfyui" ? "custom_nodes/renoir" : "extensions/renoir");
const sourceOf = (id: string) => join(root, "src/extension/hosts", id === "comfyui" ? "comfyui" : "a1111");
const available = hostIds.filter((id) => existsSync(sourceOf(id)));

test.each(available)("%s: linked, found, and removed without a trace", async (id) => {
  const host = await makeHost(id, join(folder, "Bilder & mehr 絵"));
  const before = await listing(host);
  const done = await install(id, host);
  const target = join(host, targetOf(id));
  expect(done).toMatchObject({ target, did: "installed", how: "linked", version: manifest.version });
  expect(await realpath(target)).toBe(await realpath(sourceOf(id)));
  expect(await lookAt(await findPlace(id, host))).toMatchObject({ state: "linked", current: true });
  expect((await install(id, host)).did).toBe("unchanged");
  expect((await uninstall(id, host)).did).toBe("removed");
  expect(await listing(host)).toEqual(before);
  expect((await uninstall(id, host)).did).toBe("absent");
});

test.each(available)("%s: copied with what it needs to find its server, and removed without a trace", async (id) => {
  const host = await makeHost(id, join(folder, "a host"));
  const before = await listing(host);
  const target = join(host, targetOf(id));
  expect(await install(id, host, { copy: true })).toMatchObject({ did: "installed", how: "copied" });
  expect((await lstat(target)).isDirectory()).toBe(true);
  expect(JSON.parse(await readFile(join(target, "manifest.json"), "utf8"))).toEqual(manifest);
  const { command, version, address } = JSON.parse(await readFile(join(target, "renoir.json"), "utf8"));
  expect({ version, address }).toEqual({ version: manifest.version, address: manifest.server.address });
  expect(command).toEqual([process.execPath, join(root, manifest.entry)]);
  expect(existsSync(command[1])).toBe(true);
  const ofPlugin = (line: string) =>
    !/ folder$|__pycache__|^(manifest|renoir)\.json |^\.renoir-installed |^shared\//.test(line);
  expect((await listing(target)).filter(ofPlugin)).toEqual((await listing(sourceOf(id))).filter(ofPlugin));
  const { shared } = manifest.hosts.find(({ variants }) => variants.some((variant) => variant.id === id))!;
  for (const file of shared?.files ?? []) {
    expect(await readFile(join(target, "shared", file))).toEqual(await readFile(join(root, shared!.source, file)));
  }
  await make(join(target, "__pycache__", "renoir_client.cpython-310.pyc"));
  expect((await install(id, host)).how).toBe("copied"); // a copy stays one
  await make(join(target, "scripts", "__pycache__", "renoir.cpython-310.pyc"));
  await uninstall(id, host);
  expect(await listing(host)).toEqual(before);
});

test("a copy of another version is replaced, and what others put into it stays, through the removal too", async () => {
  const host = await makeHost("forge", join(folder, "forge"));
  const target = join(host, "extensions", "renoir");
  await install("forge", host, { copy: true });
  const marker = JSON.parse(await readFile(join(target, ".renoir-installed"), "utf8"));
  await make(join(target, "scripts", "old.py"));
  await writeFile(
    join(target, ".renoir-installed"),
    JSON.stringify({ ...marker, version: "0.0.9", files: [...marker.files, "scripts/old.py"] }),
  );
  await make(join(target, "notes", "mine.txt"), "mine");
  expect(await lookAt(await findPlace("forge", host))).toMatchObject({ version: "0.0.9", current: false });
  const done = await install("forge", host);
  expect(done).toMatchObject({ did: "updated", how: "copied", version: manifest.version });
  expect(done.notes).toContain(`${join(target, "notes/mine.txt")} is not Renoir's and stays.`);
  expect(existsSync(join(target, "scripts", "old.py"))).toBe(false);
  await uninstall("forge", host);
  expect(await listing(target)).toEqual(["notes folder", "notes/mine.txt file"]);
  expect(await readFile(join(target, "notes", "mine.txt"), "utf8")).toBe("mine");
  await expect(install("forge", host)).rejects.toThrow(/is not Renoir's: a folder that Renoir did not make/);
});

test("what is not Renoir's is left as it is: a file, a folder, a link elsewhere", async () => {
  const host = await makeHost("a1111", join(folder, "webui"));
  const target = join(host, "extensions", "renoir");
  await mkdir(join(folder, "other"));
  const others: Record<string, () => Promise<unknown>> = {
    "a file": () => writeFile(target, "x"),
    "a folder that Renoir did not make": () => make(join(target, "scripts", "x.py")),
    [`a link to ${join(folder, "other")}`]: () => symlink(join(folder, "other"), target),
  };
  for (const [what, put] of Object.entries(others)) {
    await put();
    const before = await listing(host);
    await expect(install("a1111", host)).rejects.toThrow(`it is not Renoir's: ${what}`);
    await expect(uninstall("a1111", host)).rejects.toThrow(`it is not Renoir's: ${what}`);
    expect(await listing(host)).toEqual(before);
    await rm(target, { recursive: true });
  }
});

test("a link of another checkout is taken over, one whose checkout has gone is mended, and both can be removed", async () => {
  const host = await makeHost("forge", join(folder, "forge"));
  const other = join(folder, "renoir before");
  await mkdir(join(other, "src/extension/hosts"), { recursive: true });
  await cp(sourceOf("forge"), join(other, "src/extension/hosts/a1111"), { recursive: true });
  await writeFile(join(other, "manifest.json"), JSON.stringify({ id: "renoir", version: "0.0.1" }));
  const target = join(host, "extensions", "renoir");
  const link = () => symlink(join(other, "src/extension/hosts/a1111"), target);
  await link();
  expect(await lookAt(await findPlace("forge", host))).toMatchObject({ state: "linked", version: "0.0.1" });
  expect(await install("forge", host)).toMatchObject({ did: "updated", how: "linked" });
  expect(await realpath(target)).toBe(await realpath(sourceOf("forge")));
  await uninstall("forge", host);
  await link();
  await rm(other, { recursive: true });
  expect((await lookAt(await findPlace("forge", host))).state).toBe("broken");
  expect((await install("forge", host)).did).toBe("updated");
  expect((await lookAt(await findPlace("forge", host))).state).toBe("linked");
  expect((await install("forge", host, { copy: true })).how).toBe("copied");
  expect(existsSync(join(sourceOf("forge"), "scripts"))).toBe(true); // the link went, not what it led to
});

test("the folder of the plugins will do, also where it lies apart from the host", async () => {
  const host = await makeHost("forge", join(folder, "forge"));
  await mkdir(join(folder, "data", "extensions"), { recursive: true });
  expect((await findPlace("forge", join(host, "extensions"))).target).toBe(join(host, "extensions", "renoir"));
  expect((await findPlace("forge", join(folder, "data", "extensions"))).target).toBe(
    join(folder, "data", "extensions", "renoir"),
  );
});

test("any host of the family is served by its plugin, under its own name", async () => {
  const host = await makeHost("forge-classic", join(folder, "classic"));
  expect((await findPlace("a1111", host)).title).toBe("Forge Classic");
});

test("what is wrong with a path is said with what to do", async () => {
  await makeHost("comfyui", join(folder, "ComfyUI"));
  await makeHost("a1111", join(folder, "archive", "webui"));
  await make(join(folder, "file"));
  const says = (id: string, path: string) =>
    findPlace(id, join(folder, path)).then(
      () => "",
      ({ message, hint }) => `${message} ${hint}`,
    );
  expect(await says("forge", "ComfyUI")).toMatch(/is ComfyUI, not Forge\. Say renoir install comfyui/);
  expect(await says("forge", "archive")).toContain(
    `the folder webui in it is. Name that one: ${join(folder, "archive", "webui")}`,
  );
  expect(await says("comfyui", "archive")).toMatch(/looked for main\.py and nodes\.py and comfy in it\..*custom_nodes/);
  expect(await says("forge", "nowhere")).toMatch(/nowhere is not there/);
  expect(await says("forge", "file")).toMatch(/file is no folder/);
  expect(await says("fooocus", "ComfyUI")).toContain(`there are ${hostIds.join(", ")}`);
  await rm(join(folder, "ComfyUI", "custom_nodes"), { recursive: true });
  expect(await says("comfyui", "ComfyUI")).toMatch(/custom_nodes is not there\. Start ComfyUI once/);
});

const isRoot = process.getuid?.() === 0; // to whom nothing is forbidden
test.skipIf(isRoot)("a folder that may not be written says so, and stays as it was", async () => {
  const host = await makeHost("forge", join(folder, "forge"));
  const plugins = join(host, "extensions");
  const before = await listing(host);
  await chmod(plugins, 0o555);
  await expect(install("forge", host)).rejects.toMatchObject({
    code: "system",
    message: expect.stringContaining(`${join(plugins, "renoir")} can not be changed`),
    hint: expect.stringContaining("make that folder writable"),
  });
  await expect(install("forge", host, { copy: true })).rejects.toMatchObject({ code: "system" });
  await chmod(plugins, 0o755);
  expect(await listing(host)).toEqual(before);
});

test("the commands say what they did, as JSON too", async () => {
  const host = await makeHost("forge", join(folder, "forge"));
  const installed = await run(["install", "forge", host, "--json"]);
  expect(installed.code).toBe(0);
  expect(JSON.parse(installed.stdout)).toMatchObject({ host: "Forge", did: "installed", how: "linked" });
  const status = await run(["status", folder, "--json"]);
  expect(JSON.parse(status.stdout.split("\n")[1]!)).toMatchObject({
    host: "forge",
    path: host,
    plugin: "linked",
    version: manifest.version,
    advice: null,
  });
  const removed = await run(["uninstall", "forge", host]);
  expect(removed.stdout).toBe(
    `Renoir is no longer in Forge: ${join(host, "extensions", "renoir")} is gone.\nRestart the host: it knows the plugin until then.\n`,
  );
  const wrong = await run(["install", "comfyui", host]);
  expect([wrong.code, wrong.stdout]).toEqual([2, ""]);
  expect(wrong.stderr).toContain("Say renoir install forge");
}, 60_000);

// renoir score, rank and info as processes of their own, on a small ImageReward whose scores upstream's code gave as well.

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { readMetadata } from "../../src/metadata/index.ts";
import { openReferenceModel } from "../support/referenceModel.ts";
import { freshFolder, jsonLines, picture, run, start } from "./command.ts";

let reward: string;
let folder: string;

beforeAll(async () => {
  const { path } = await openReferenceModel("wide");
  reward = `imagereward@${path}`;
  await run(["--version"]); // builds what is to be built, outside of what is timed
  return () => rm(dirname(path), { recursive: true });
}, 300_000);

beforeEach(async () => {
  folder = await freshFolder();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Five pictures with prompts, and their real scores in the order of their names. */
async function fivePictures(): Promise<{ names: string[]; scores: number[] }> {
  const colours = ["red", "green", "blue", "white", "black"];
  const names = colours.map((_, index) => `${index + 1}.png`);
  for (const [index, colour] of colours.entries()) {
    await writeFile(join(folder, names[index]!), await picture(colour, `a ${colour} square`));
  }
  const { stdout } = await score("--json");
  return { names, scores: jsonLines(stdout).map(({ scores }) => scores.ImageReward) };
}

const score = (...flags: string[]) => run(["score", folder, "--reward", reward, ...flags]);
const files = async (inner = ".") => (await readdir(join(folder, inner))).sort();
const middle = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

test("each picture is scored by its own prompt, one JSON line each, ranked over the run", async () => {
  const { names } = await fivePictures();
  const { code, stdout, stderr } = await score("--json");
  const lines = jsonLines(stdout);
  expect(code).toBe(0);
  expect(lines.map(({ file }) => file)).toEqual(names.map((name) => join(folder, name)));
  expect(lines[0]).toEqual({
    file: join(folder, "1.png"),
    prompt: "a red square",
    scores: { ImageReward: expect.any(Number) },
    rank: expect.any(Number),
    kept: true,
  });
  const byRank = [...lines].sort((a, b) => a.rank - b.rank).map(({ scores }) => scores.ImageReward);
  expect(byRank).toEqual([...byRank].sort((a, b) => b - a));
  expect(new Set(byRank).size).toBe(5);
  expect(lines.map(({ rank }) => rank).sort()).toEqual([1, 2, 3, 4, 5]);
  expect(stderr).toContain("5 scored, 5 kept, 0 not kept, 0 failed.");
});

test("--prompt takes the place of the files' own, and --sort puts the best first", async () => {
  await fivePictures();
  const lines = jsonLines((await score("--json", "--sort", "--prompt", "a dog")).stdout);
  expect(lines.map(({ prompt }) => prompt)).toEqual(Array(5).fill("a dog"));
  expect(lines.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5]);
});

test("unreadable, promptless and missing files are reported, and the others are scored", async () => {
  await writeFile(join(folder, "a.png"), await picture("red", "a red square"));
  await writeFile(join(folder, "b.png"), "no picture at all");
  await writeFile(join(folder, "c.png"), await picture("blue"));
  const { code, stdout, stderr } = await run(["score", folder, join(folder, "d.png"), "--reward", reward, "--json"]);
  const lines = jsonLines(stdout);
  expect(code).toBe(1);
  const byName = Object.fromEntries(lines.map((line) => [line.file.slice(folder.length + 1), line]));
  expect(Object.keys(byName).sort()).toEqual(["a.png", "b.png", "c.png", "d.png"]);
  expect(byName["a.png"].rank).toBe(1);
  expect(Object.keys(byName["b.png"])).toEqual(["file", "error"]);
  expect(byName["c.png"].error).toMatchObject({ code: "request", hint: expect.stringContaining("--prompt") });
  expect(byName["d.png"].error).toMatchObject({ code: "system", message: expect.stringContaining("is not there") });
  expect(stderr).toContain("1 scored, 1 kept, 0 not kept, 3 failed.");
  expect(stdout + stderr).not.toMatch(/\n\s+at /);
});

test("--write puts the scores where readMetadata finds them; the prompt stays, the score is float32's with int8 too", async () => {
  const { names, scores } = await fivePictures();
  expect((await score("--write", "--dtype", "int8")).code).toBe(0);
  for (const [index, name] of names.entries()) {
    const metadata = await readMetadata(join(folder, name));
    expect(metadata.scores.ImageReward).toBeCloseTo(scores[index]!, 4);
    expect(metadata.prompt).toMatch(/^a \w+ square$/);
    expect(metadata.infotext).toMatch(/Model: shapes, ImageReward Score: -?\d+\.\d{4}$/);
  }
});

test("--min with --reject-to moves what scores less, with its caption, and overwrites nothing", async () => {
  const { names, scores } = await fivePictures();
  const limit = middle(scores);
  const low = names.filter((_, index) => scores[index]! < limit);
  await writeFile(join(folder, `${low[0]!.slice(0, 1)}.txt`), "a caption");
  await mkdir(join(folder, "rejected"));
  await writeFile(join(folder, "rejected", low[0]!), "an earlier one");
  const { code, stdout } = await score("--min", String(limit), "--reject-to", join(folder, "rejected"), "--json");
  expect(code).toBe(0);
  const lines = jsonLines(stdout);
  expect(lines.filter(({ kept }) => kept).length).toBe(3); // equal stays
  const stem = low[0]!.slice(0, 1);
  expect(await files("rejected")).toEqual([low[0], `${stem}-1.png`, `${stem}-1.txt`, low[1]].sort());
  expect(await readFile(join(folder, "rejected", low[0]!), "utf8")).toBe("an earlier one");
  expect(lines.find(({ file }) => file.endsWith(low[0]!)).movedTo).toBe(join(folder, "rejected", `${stem}-1.png`));
  expect((await files()).filter((name) => name.endsWith(".png"))).toEqual(names.filter((name) => !low.includes(name)));
});

test("--top keeps the best; --delete sends the rest to the trash", async () => {
  const { names, scores } = await fivePictures();
  const home = join(folder, "home");
  await mkdir(home);
  const env = { XDG_DATA_HOME: join(home, "data"), HOME: home };
  const { code, stdout } = await run(["score", folder, "--reward", reward, "--top", "2", "--delete", "--json"], {
    env,
  });
  expect(code).toBe(0);
  const best = [...scores].sort((a, b) => b - a).slice(0, 2);
  const kept = names.filter((_, index) => best.includes(scores[index]!));
  expect((await files()).filter((name) => name.endsWith(".png"))).toEqual(kept);
  // In the trash, or where a test machine has none, in the folder beside.
  const gone = jsonLines(stdout).filter((line) => !line.kept);
  expect(gone.length).toBe(3);
  for (const line of gone) {
    if (line.movedTo) expect(await files("rejected")).toContain(line.movedTo.split(/[\\/]/).at(-1));
    else expect(line.trashed).toBe(true);
  }
});

test("--delete --permanently deletes", async () => {
  const { names, scores } = await fivePictures();
  const { stdout } = await score("--top", "1", "--delete", "--permanently", "--json");
  expect(jsonLines(stdout).filter((line) => line.deleted).length).toBe(4);
  expect(await files()).toEqual([names[scores.indexOf(Math.max(...scores))]]);
});

test("without --json there is a table with bars, best first, and colours only where they are wanted", async () => {
  await fivePictures();
  const plain = await score("--sort");
  const rows = plain.stdout.trimEnd().split("\n");
  expect(rows[0]).toMatch(/^rank\s+ImageReward\s+file$/);
  expect(rows.slice(1).map((row) => Number.parseInt(row, 10))).toEqual([1, 2, 3, 4, 5]);
  expect(rows[1]).toContain("█".repeat(20));
  expect(plain.stdout).not.toContain("\u001b[");
  const env = { FORCE_COLOR: "1" };
  const colored = await run(["score", folder, "--reward", reward], { env });
  expect(colored.stdout).toContain("\u001b[32m█");
  const none = await run(["score", folder, "--reward", reward], { env: { ...env, NO_COLOR: "1" } });
  expect(none.stdout).not.toContain("\u001b[");
});

test("a weight makes a total beside the score", async () => {
  await writeFile(join(folder, "a.png"), await picture("red", "a red square"));
  const { stdout } = await run(["score", folder, "--reward", reward.replace("@", "=-2@"), "--json"]);
  const [{ scores, total }] = jsonLines(stdout);
  expect(total).toBeCloseTo(-2 * scores.ImageReward, 6);
});

test("--csv writes the same results as a table", async () => {
  await writeFile(join(folder, "a.png"), await picture("red", 'a "red" square, tiny'));
  await writeFile(join(folder, "b.png"), "nothing");
  const csv = join(folder, "scores.csv");
  const { code, stdout } = await score("--csv", csv, "--json");
  expect(code).toBe(1);
  const [line] = jsonLines(stdout);
  const rows = (await readFile(csv, "utf8")).split("\r\n");
  expect(rows[0]).toBe("file,prompt,ImageReward,rank,kept,movedTo,error");
  expect(rows[1]).toBe(`${line.file},"a ""red"" square, tiny",${line.scores.ImageReward},1,true,,`);
  expect(rows[2]).toMatch(/b\.png,,,,,,/);
});

test("--no-rank prints each result with a null rank", async () => {
  await fivePictures();
  const lines = jsonLines((await score("--no-rank", "--json")).stdout);
  expect(lines.map(({ rank }) => rank)).toEqual(Array(5).fill(null));
});

test("--recursive looks into folders, and never into the one for rejected pictures", async () => {
  const rejected = join(folder, "rejected");
  for (const inner of ["deeper", "rejected"]) {
    await mkdir(join(folder, inner));
    await writeFile(join(folder, inner, "x.png"), await picture("red", "a red square"));
  }
  expect((await score("--json")).stdout).toBe("");
  const flags = ["--recursive", "--json", "--min", "-99", "--reject-to", rejected];
  const lines = jsonLines((await score(...flags)).stdout);
  expect(lines.map(({ file }) => file)).toEqual([join(folder, "deeper", "x.png")]);
});

test.each([
  [["--min", "2", "--max", "1"], /lowest score to keep is 2 and the highest 1/],
  [["--min", "0,5"], /Write 0\.5, with a point/],
  [["--top", "0"], /It is no whole number from 1/],
  [["--reward", "imagrewad"], /no reward "imagrewad"; there are imagereward, shapes/],
  [["--reward", "imagereward@/no/such.pt"], /\/no\/such\.pt of the reward "imagereward" is not there/],
  [["--delete"], /no limit was given/],
  [["--min", "0", "--permanently"], /without --delete/],
  [["--min", "0", "--delete", "--reject-to", "x"], /both given/],
  [["--no-rank", "--top", "1"], /need to know all of them first/],
  [["--colour"], /unknown option/],
])("wrong usage %j is told, with exit status 2 and nothing on stdout", async (flags, message) => {
  const { code, stdout, stderr } = await run(["score", folder, ...flags]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(message);
});

test("a reward without a checkpoint says how to get one", async () => {
  await writeFile(join(folder, "a.png"), await picture("red", "a red square"));
  const { code, stderr } = await run(["score", folder], { env: { RENOIR_HOME: join(folder, "home") } });
  expect(code).toBe(2);
  expect(stderr).toContain("renoir models pull imagereward");
});

test("rank gives places and rewards in the order of the files, null for what can not be read", async () => {
  const { names } = await fivePictures();
  await writeFile(join(folder, "bad.png"), "nothing");
  const paths = [names[2]!, "bad.png", names[0]!].map((name) => join(folder, name));
  const flags = ["--prompt", "a dog", "--reward", reward];
  const { code, stdout } = await run(["rank", ...paths, ...flags, "--json"]);
  expect(code).toBe(1);
  const [{ ranking, rewards }] = jsonLines(stdout);
  expect(ranking[1]).toBeNull();
  expect(rewards[1]).toBeNull();
  expect([ranking[0], ranking[2]]).toEqual(rewards[0] > rewards[2] ? [1, 2] : [2, 1]);
  const good = await run(["rank", paths[0]!, paths[2]!, ...flags, "--json"]);
  expect(good.code).toBe(0);
  expect(jsonLines(good.stdout)[0].rewards).toEqual([rewards[0], rewards[2]]);
});

test("info tells what the file says", async () => {
  const file = join(folder, "a.png");
  await writeFile(file, await picture("red", "a red square"));
  const { code, stdout } = await run(["info", file, "--json"]);
  expect(code).toBe(0);
  expect(jsonLines(stdout)).toMatchObject([
    { file, format: "png", prompt: "a red square", negativePrompt: "blurry", seed: 7, scores: {} },
  ]);
  const plain = await run(["info", file, join(folder, "none.png")]);
  expect(plain.code).toBe(1);
  expect(plain.stdout).toMatch(/prompt +a red square/);
});

test("Ctrl-C ends the run after the pictures in hand, and prints what is scored", async () => {
  const bytes = await picture("red", "a red square");
  for (let index = 0; index < 400; index += 1) await writeFile(join(folder, `${index}.png`), bytes);
  const running = start(["score", folder, "--reward", reward, "--no-rank", "--json"]);
  await running.says('"scores"');
  running.kill("SIGINT");
  const { code, stdout, stderr } = await running.ended;
  expect(code).toBe(1);
  expect(jsonLines(stdout).length).toBeLessThan(400);
  expect(stderr).toContain("Stopping after the pictures in hand");
});

test("a second Ctrl-C stops at once", async () => {
  const bytes = await picture("red", "a red square");
  for (let index = 0; index < 400; index += 1) await writeFile(join(folder, `${index}.png`), bytes);
  const running = start(["score", folder, "--reward", reward, "--no-rank", "--json"]);
  await running.says('"scores"');
  running.kill("SIGINT");
  await running.says("Stopping");
  running.kill("SIGINT");
  const { code, signal, stdout } = await running.ended;
  // 1: it had stopped before the second came; the signal itself: it was about to.
  expect([1, 130, "SIGINT"]).toContain(code ?? signal);
  expect(stdout.split("\n").length).toBeLessThan(400);
});

test("a reader that goes away ends the run quietly", async () => {
  const bytes = await picture("red", "a red square");
  for (let index = 0; index < 200; index += 1) await writeFile(join(folder, `${index}.png`), bytes);
  const running = start(["score", folder, "--reward", reward, "--no-rank", "--json"]);
  await running.says('"scores"');
  running.closeStdout();
  const { stdout, stderr } = await running.ended;
  expect(jsonLines(stdout.slice(0, stdout.lastIndexOf("\n") + 1)).length).toBeLessThan(200);
  expect(stderr).not.toMatch(/EPIPE|Error|\n\s+at /);
});

test("int8 scores are near the exact ones and say so; near a limit the exact one decides", async () => {
  const { scores } = await fivePictures();
  const quick = jsonLines((await score("--dtype", "int8", "--json")).stdout);
  for (const [index, line] of quick.entries()) {
    expect(line.approximate).toBe(true);
    expect(Math.abs(line.scores.ImageReward - scores[index]!)).toBeLessThan(0.3);
  }
  const limit = middle(scores);
  const decided = jsonLines((await score("--dtype", "int8", "--min", String(limit), "--json")).stdout);
  const near = decided.filter((_, index) => Math.abs(scores[index]! - limit) < 0.01);
  expect(near.length).toBeGreaterThan(0);
  expect(near.every(({ approximate }) => approximate === undefined)).toBe(true);
  expect(decided.map(({ kept }) => kept)).toEqual(scores.map((value) => value >= limit));
});

// The plugin in a running Forge, through its API: `npm run test:hosts -- --forge http://127.0.0.1:7860`.
// The host runs on this machine, has a model, and its plugin's server runs.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, extname, join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import type { ScoreReply } from "../../src/server/api/pictures.ts";
import { startServer } from "../../src/server/start.ts";
import { base64Of, Forge, type Generated, renoir, scoresOf, withoutScores } from "./forgeApi.ts";

const url = process.env.RENOIR_FORGE;
const forge = new Forge(url ?? "");

const pixels = async (image: string) => await sharp(Buffer.from(image, "base64")).removeAlpha().raw().toBuffer();
const totals = ({ info }: Generated) => info.infotexts.flatMap(scoresOf);
const batch = { batch_size: 2, n_iter: 2 };

describe.skipIf(!url)("Forge", () => {
  /** Of the batch, in the order made. */
  let made: Generated;
  let middle: number;

  beforeAll(async () => {
    const { state, message } = await forge.json<{ state: string; message: string }>("/renoir/state");
    expect(state, message).toBe("running");
    made = await forge.txt2img({ ...batch, alwayson_scripts: renoir({ sort: false }) });
    const sorted = [...totals(made)].sort((a, b) => b - a);
    middle = (sorted[1]! + sorted[2]!) / 2;
  }, 600_000); // the first generation of a host loads its model

  test("the score is a pair of the settings line, each picture's own", () => {
    expect(totals(made)).toHaveLength(4);
    expect(new Set(totals(made)).size).toBe(4);
    for (const text of made.info.infotexts)
      expect(text.split("\n").at(-1)).toMatch(/^Steps: 1, .*, Shapes Score: -?\d+\.\d{4}, Version: /);
  });

  test("scoring a picture later gives the same score", async () => {
    const { results } = await forge.json<ScoreReply>("/renoir/api/v1/score", { images: made.images });
    expect(results.map(({ total }) => total!.toFixed(4))).toEqual(totals(made).map((total) => total.toFixed(4)));
  });

  test.each(["png", "jpg", "webp"])(
    "%s: the host's own parser finds the same fields, and one more",
    async (samples_format) => {
      const request = { save_images: true, override_settings: { samples_format } };
      const without = await forge.watching(() => forge.txt2img(request));
      const scored = await forge.watching(() => forge.txt2img({ ...request, alwayson_scripts: renoir() }));
      expect([...without.files, ...scored.files].map(extname)).toEqual([`.${samples_format}`, `.${samples_format}`]);
      const before = await forge.read(await base64Of(without.files[0]!));
      const after = await forge.read(await base64Of(scored.files[0]!));
      const { "Shapes Score": score, ...fields } = after.parameters;
      expect(fields).toEqual(before.parameters);
      expect(withoutScores(after.info)).toBe(before.info);
      expect(Number(score)).toBe(totals(scored.made)[0]);
      expect(after.info).toBe(scored.made.info.infotexts[0]);
    },
  );

  test("generating again from the infotext gives the same picture", async () => {
    // Of its own: in a batch the host's sums come out a little differently.
    const one = await forge.txt2img({ seed: 7, alwayson_scripts: renoir() });
    const { parameters: said } = await forge.read(one.images[0]!);
    expect(said).toHaveProperty("Shapes Score");
    const again = await forge.txt2img({
      prompt: said.Prompt,
      negative_prompt: said["Negative prompt"],
      ...{ seed: Number(said.Seed), steps: Number(said.Steps), cfg_scale: Number(said["CFG scale"]) },
      ...{ width: Number(said["Size-1"]), height: Number(said["Size-2"]), sampler_name: said.Sampler },
    });
    expect(Buffer.compare(await pixels(again.images[0]!), await pixels(one.images[0]!))).toBe(0);
  });

  test("sorting moves pictures, texts and seeds together", async () => {
    const sorted = await forge.txt2img({ ...batch, alwayson_scripts: renoir() });
    expect(totals(sorted)).toEqual([...totals(made)].sort((a, b) => b - a));
    for (const [i, image] of sorted.images.entries()) {
      const at = made.info.all_seeds.indexOf(sorted.info.all_seeds[i]!);
      expect(sorted.info.infotexts[i]).toBe(made.info.infotexts[at]);
      expect(Buffer.compare(await pixels(image), await pixels(made.images[at]!))).toBe(0);
    }
  });

  test.each([
    ["keep", 4, 0],
    ["reject", 4, 2],
    ["discard", 2, 0],
  ] as const)("filtered, files: %s", async (filtered, count, moved) => {
    const settings = { filter: true, limit: middle, filtered };
    const run = await forge.watching(() =>
      forge.txt2img({
        ...batch,
        save_images: true,
        override_settings: { grid_save: false },
        alwayson_scripts: renoir(settings),
      }),
    );
    expect(totals(run.made)).toEqual([...totals(made)].sort((a, b) => b - a).slice(0, 2));
    expect(run.files).toHaveLength(count);
    const rejected = run.files.filter((file) => file.includes("/rejected/"));
    expect(rejected).toHaveLength(moved);
    for (const file of rejected)
      expect(scoresOf((await forge.read(await base64Of(file))).info)[0]).toBeLessThan(middle);
  });

  test("everything filtered is an empty list, and no failure", async () => {
    const { images, info } = await forge.txt2img({ ...batch, alwayson_scripts: renoir({ filter: true, limit: 100 }) });
    expect([images, info.infotexts]).toEqual([[], []]);
  });

  test("the grid has no score, and neither do pictures before hires. fix", async () => {
    const grid = await forge.txt2img({
      ...batch,
      save_images: true,
      override_settings: { return_grid: true },
      alwayson_scripts: renoir(),
    });
    expect(grid.info.index_of_first_image).toBe(1);
    expect(grid.info.infotexts.map((text) => scoresOf(text).length)).toEqual([0, 1, 1, 1, 1]);
    expect((await forge.read(grid.images[0]!)).info).not.toContain("Score");
    const hires = await forge.watching(() =>
      forge.txt2img({
        ...{ batch_size: 2, save_images: true, alwayson_scripts: renoir() },
        ...{ enable_hr: true, hr_scale: 2, hr_upscaler: "Latent", denoising_strength: 0.5, hr_additional_modules: [] },
        override_settings: { save_images_before_highres_fix: true, grid_save: false },
      }),
    );
    const texts = await Promise.all(
      hires.files.map(async (file) => [basename(file), (await forge.read(await base64Of(file))).info] as const),
    );
    expect(texts).toHaveLength(4);
    for (const [name, text] of texts)
      expect(scoresOf(text), name).toHaveLength(name.includes("before-highres-fix") ? 0 : 1);
  });

  test("img2img", async () => {
    const { info } = await forge.generate("img2img", {
      init_images: [made.images[0]],
      ...{ denoising_strength: 0.9, batch_size: 2, steps: 2 },
      alwayson_scripts: renoir(),
    });
    const found = info.infotexts.flatMap(scoresOf);
    expect(found).toEqual([...found].sort((a, b) => b - a));
    expect(found).toHaveLength(2);
  });

  test("an X/Y/Z plot is scored, and nothing of it is filtered", async () => {
    const [legend, single, subGrids, csv] = [false, true, false, false];
    const noAxis = [0, "", []];
    const args = [1, "42,43", [], ...noAxis, ...noAxis, legend, single, subGrids, false, false, false, false, 0, csv];
    const { info, images } = await forge.txt2img({
      script_name: "x/y/z plot",
      script_args: args,
      alwayson_scripts: renoir({ filter: true, limit: 100 }),
    });
    expect(images.length).toBeGreaterThanOrEqual(3);
    const scored = info.infotexts.map((text) => scoresOf(text).length);
    expect(scored.slice(-2)).toEqual([1, 1]);
    expect(scored.slice(0, -2).every((count) => count === 0)).toBe(true);
  });

  test("a server that is away costs a generation nothing but the score", async () => {
    const began = performance.now();
    await forge.txt2img(batch);
    const without = performance.now() - began;
    const address = "http://127.0.0.1:9";
    const { images, info } = await forge.txt2img({
      ...batch,
      alwayson_scripts: renoir({ address, filter: true, limit: 100 }),
    });
    expect(performance.now() - began - without).toBeLessThan(without + 2000);
    expect([images.length, info.infotexts.flatMap(scoresOf)]).toEqual([4, []]);
  });

  test("a server that is killed in the middle", async () => {
    const home = await mkdtemp(join(tmpdir(), "renoir-host-test-"));
    const server = await startServer({ port: 0, home, demo: null });
    try {
      const running = forge.txt2img({
        n_iter: 8,
        alwayson_scripts: renoir({ address: server.url, rewards: "shapes" }),
      });
      await firstRequest(server.url);
      await server.close();
      const { images, info } = await running;
      const scored = info.infotexts.filter((text) => scoresOf(text).length > 0).length;
      expect(images).toHaveLength(8);
      expect(scored).toBeGreaterThan(0);
      expect(scored).toBeLessThan(8);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });
});

/** Until its model is there: the first picture was scored, or is about to be. */
async function firstRequest(server: string): Promise<void> {
  for (;;) {
    const { models } = (await (await fetch(`${server}/api/v1/health`)).json()) as { models: string[] };
    if (models.length > 0) break;
    await new Promise((done) => setTimeout(done, 100));
  }
  await new Promise((done) => setTimeout(done, 500));
}

import { expect, test } from "vitest";
import type { Carrier } from "../../../src/metadata/carriers/carrier.ts";
import { Texts } from "../../../src/metadata/dialects/dialect.ts";
import { readDialect } from "../../../src/metadata/dialects/index.ts";

const LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768";

function chunks(texts: Record<string, string>, kind: Carrier["kind"] = "tEXt") {
  return Object.entries(texts).map(
    ([keyword, text], index): Carrier => ({ kind, keyword, text, encoding: "utf-8", index }),
  );
}

const read = (...carriers: Carrier[]) => readDialect(new Texts(carriers));
const settingsOf = (...carriers: Carrier[]) => Object.fromEntries(read(...carriers)?.settings ?? []);

test("the A1111 family is told apart by its parameters", () => {
  const host = (tail: string, others = {}) => read(...chunks({ parameters: `a\n${LINE}${tail}`, ...others }))?.host;
  expect(host(", Version: v1.10.1")).toBe("a1111");
  expect(host(", Version: f2.0.1v1.10.1-previous-664-gd557aef9, Module 1: ae")).toBe("forge");
  expect(host(", App: SD.Next, Version: 431bcc3")).toBe("sdnext");
  expect(host(", Version: ComfyUI")).toBe("comfyui");
  expect(host(', Civitai resources: [{"type":"checkpoint","modelVersionId":1}]')).toBe("civitai");
  expect(host("", { fooocus_scheme: "a1111" })).toBe("fooocus");
  expect(host("", { smproj: "{}" })).toBe("stabilitymatrix");
  expect(host("", { workflow: '{"nodes": []}' })).toBe("comfyui");
});

test("SD.Next's names are told as A1111's", () => {
  const carriers = chunks({ parameters: `a\nNegative prompt: \n${LINE}, App: SD.Next, Variation strength: 0.3` });
  expect(read(...carriers)).toMatchObject({ host: "sdnext", prompt: "a", negativePrompt: "", seed: 1 });
  expect(settingsOf(...carriers)["Variation seed strength"]).toBe(0.3);
});

test("UserComment wins over parameters, as in Forge; a comment counts only without UserComment", () => {
  const user: Carrier = {
    kind: "exif",
    keyword: "UserComment",
    text: `exif\n${LINE}`,
    encoding: "unicode-be",
    index: 1,
  };
  const comment: Carrier = {
    kind: "comment",
    keyword: "Comment",
    text: `comment\n${LINE}`,
    encoding: "utf-8",
    index: 2,
  };
  expect(read(...chunks({ parameters: `text\n${LINE}` }), user, comment)?.prompt).toBe("exif");
  expect(read(comment)?.prompt).toBe("comment");
});

test("seeds beyond 2^53 are exact, in infotext and in JSON", () => {
  expect(read(...chunks({ parameters: `a\n${LINE}, Seed: 18446744073709551615` }))?.seed).toBe(18446744073709551615n);
  const swarm = '{"sui_image_params": {"prompt": "a 12345678901234567890", "seed": 9223372036854775807, "x": NaN}}';
  expect(read(...chunks({ parameters: swarm }))).toMatchObject({
    seed: 9223372036854775807n,
    prompt: "a 12345678901234567890",
  });
});

test("InvokeAI: metadata, and the two forms before it", () => {
  const metadata = {
    positive_prompt: "a cat",
    negative_prompt: "ugly",
    seed: 5,
    width: 512,
    height: 640,
    steps: 30,
    cfg_scale: 7.5,
    scheduler: "euler",
    model: { name: "sdxl" },
    rand_device: "cpu",
  };
  const now = chunks({ invokeai_metadata: JSON.stringify(metadata) });
  expect(read(...now)).toMatchObject({ host: "invokeai", prompt: "a cat", negativePrompt: "ugly", seed: 5 });
  expect(settingsOf(...now)).toEqual({
    Steps: 30,
    Sampler: "euler",
    "CFG scale": 7.5,
    Seed: 5,
    RNG: "cpu",
    Model: "sdxl",
    Size: "512x640",
  });
  const legacy = {
    model_weights: "sd-1.5",
    app_version: "2.3",
    image: { prompt: [{ prompt: "a cat [ugly, bad]", weight: 1 }], seed: 6, width: 512, height: 512, sampler: "k_lms" },
  };
  expect(read(...chunks({ "sd-metadata": JSON.stringify(legacy) }))).toMatchObject({
    prompt: "a cat",
    negativePrompt: "ugly, bad",
    seed: 6,
  });
  const dream = chunks({ Dream: '"a -s cat [ugly]" -s 50 -S 123 -W512 -H 768 -C7.5 -A k_lms' });
  expect(read(...dream)).toMatchObject({ host: "invokeai", prompt: "a -s cat", negativePrompt: "ugly", seed: 123 });
  expect(settingsOf(...dream)).toEqual({ Steps: 50, Sampler: "k_lms", "CFG scale": 7.5, Seed: 123, Size: "512x768" });
});

test("SwarmUI: parameters and scores, without the average", () => {
  const json = {
    sui_image_params: {
      prompt: "a",
      negativeprompt: "b",
      seed: 3,
      steps: 4,
      cfgscale: 1,
      width: 64,
      height: 32,
      model: "m",
    },
    sui_extra_data: { scoring: { pickscore: 0.21, average: 0.21 } },
  };
  const carriers = chunks({ parameters: JSON.stringify(json, null, 2) });
  expect(read(...carriers)).toMatchObject({
    host: "swarmui",
    prompt: "a",
    negativePrompt: "b",
    seed: 3,
    scores: new Map([["pickscore", 0.21]]),
  });
  expect(settingsOf(...carriers)).toEqual({ Steps: 4, "CFG scale": 1, Seed: 3, Model: "m", Size: "64x32" });
});

test("case 37: Fooocus's JSON and infotext, in PNG and in EXIF's first directory", () => {
  const json = {
    prompt: "a cat",
    negative_prompt: "",
    seed: "7",
    steps: 30,
    guidance_scale: 4,
    resolution: "(896, 1152)",
    metadata_scheme: "fooocus",
    version: "Fooocus v2.5.5",
  };
  const inPng = chunks({ parameters: JSON.stringify(json), fooocus_scheme: "fooocus" });
  expect(read(...inPng)).toMatchObject({ host: "fooocus", prompt: "a cat", seed: 7 });
  expect(settingsOf(...inPng)).toMatchObject({ Steps: 30, Size: "896x1152", "CFG scale": 4 });
  const exif = chunks({ UserComment: `a cat\n${LINE}`, Software: "Fooocus v2.5.5" }, "exif").map((c) => ({
    ...c,
    ifd: "ifd0" as const,
  }));
  expect(read(...exif)).toMatchObject({ host: "fooocus", prompt: "a cat", seed: 1 });
});

test("NovelAI: version 4's scene and characters, and the object of the alpha channel", () => {
  const v4 = (base: string, ...others: string[]) => ({
    caption: { base_caption: base, char_captions: others.map((char_caption) => ({ char_caption, centers: [] })) },
  });
  const comment = {
    prompt: "p",
    uc: "u",
    scale: 5,
    steps: 28,
    seed: 11,
    width: 832,
    height: 1216,
    sampler: "k_euler",
    v4_prompt: v4("two girls", "red hair", "blue hair"),
    v4_negative_prompt: v4("bad"),
  };
  const inChunks = chunks({
    Software: "NovelAI",
    Description: "p",
    Source: "NovelAI Diffusion V4",
    Comment: JSON.stringify(comment),
  });
  expect(read(...inChunks)).toMatchObject({
    host: "novelai",
    prompt: "two girls, red hair, blue hair",
    negativePrompt: "bad",
    seed: 11,
  });
  expect(settingsOf(...inChunks)).toMatchObject({ Model: "NovelAI Diffusion V4", Size: "832x1216", "CFG scale": 5 });
  const object = JSON.stringify({
    Software: "NovelAI",
    Description: "p",
    Comment: JSON.stringify({ prompt: "p", uc: "u", scale: 5, seed: 12 }),
  });
  expect(read(...chunks({ parameters: object }, "stealth"))).toMatchObject({
    host: "novelai",
    prompt: "p",
    negativePrompt: "u",
    seed: 12,
  });
});

test("Draw Things: JSON in XMP, entities and all", () => {
  const json =
    '{"c":"a &lt;b&gt; &amp; &quot;c&quot; &#26085;","uc":"d","seed":9,"steps":8,"scale":5,"sampler":"DPM++","size":"512x512","model":"m"}'.replaceAll(
      '\\"',
      "&quot;",
    );
  const xmp = `<x:xmpmeta><rdf:Description><exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">${json.replace("&quot;c&quot;", "c")}</rdf:li></rdf:Alt></exif:UserComment></rdf:Description></x:xmpmeta>`;
  const carriers = chunks({ "XML:com.adobe.xmp": xmp }, "iTXt");
  expect(read(...carriers)).toMatchObject({ host: "drawthings", prompt: "a <b> & c 日", negativePrompt: "d", seed: 9 });
  expect(settingsOf(...carriers)).toMatchObject({ Size: "512x512", Steps: 8 });
});

test("Easy Diffusion: a chunk for each setting, or JSON", () => {
  const settings = {
    prompt: "a cat",
    negative_prompt: "ugly",
    seed: "42",
    num_inference_steps: "25",
    guidance_scale: "7.5",
    sampler_name: "euler_a",
    width: "512",
    height: "768",
    use_stable_diffusion_model: "sd-v1-5",
  };
  const expected = { host: "easydiffusion", prompt: "a cat", negativePrompt: "ugly", seed: 42 };
  expect(read(...chunks(settings))).toMatchObject(expected);
  expect(settingsOf(...chunks(settings))).toMatchObject({ Steps: 25, Size: "512x768", Model: "sd-v1-5" });
  expect(read(...chunks({ UserComment: JSON.stringify(settings) }, "exif"))).toMatchObject(expected);
});

test("TensorArt and Stability Matrix", () => {
  const tensor = chunks({
    generation_data: `${JSON.stringify({ prompt: "a", negativePrompt: "b", seed: "4", width: 64, height: 32, steps: 5 })}\0`,
  });
  expect(read(...tensor)).toMatchObject({ host: "tensorart", prompt: "a", negativePrompt: "b", seed: 4 });
  expect(settingsOf(...tensor)).toMatchObject({ Size: "64x32", Steps: 5 });
  expect(read(...chunks({ "parameters-json": '{"PositivePrompt": "a", "Seed": 8}' }))).toMatchObject({
    host: "stabilitymatrix",
    prompt: "a",
    seed: 8,
  });
});

test("a comment that tells of no parameters is no prompt, nor is the JSON of a host not known", () => {
  const comment: Carrier = {
    kind: "comment",
    keyword: "Comment",
    text: "CREATOR: gd-jpeg v1.0, quality = 75",
    encoding: "utf-8",
    index: 0,
  };
  expect(read(comment)).toBe(null);
  expect(read(...chunks({ UserComment: "Screenshot" }, "exif"))).toBe(null);
  expect(read(...chunks({ parameters: '{"who": "knows"}' }))).toBe(null);
  expect(read(...chunks({ UserComment: "Screenshot" }, "exif"), ...chunks({ parameters: "a cat" }))?.prompt).toBe(
    "a cat",
  );
  expect(read(...chunks({ UserComment: "a cat\nNegative prompt: ugly" }, "exif"))?.prompt).toBe("a cat");
});

test("a file of foreign texts has no host", () => {
  expect(read(...chunks({ Software: "GIMP", Title: "x" }))).toBe(null);
  expect(read()).toBe(null);
});

test("names such as __proto__ are data", () => {
  const line = `${LINE}, __proto__: 5, constructor: x`;
  const settings = read(...chunks({ parameters: `a\n${line}` }))!.settings;
  expect(settings.get("__proto__")).toBe(5);
  expect(Object.entries(Object.fromEntries(settings))).toContainEqual(["__proto__", 5]);
});

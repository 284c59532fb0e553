// What the hosts' samplers do with one step (Forge dfdcbab6, modules/sd_samplers_*.py and k_diffusion; ComfyUI a125cd84,
// comfy/k_diffusion/sampling.py). A step that ends at 0 is the same for nearly all of them: it gives the denoised picture.

/** `leaves`: what becomes of a step that does not end at 0. */
export interface Sampler {
  /** A1111's "Automatic" schedule for it; "Uniform" unless said. */
  readonly schedule?: string;
  /** Asks for one step more and drops the last but one: "discard_next_to_last_sigma". */
  readonly oneMore?: boolean;
  /** Counts each step twice for [from:to:when]. */
  readonly twice?: boolean;
  /** "share": to/from of the sample stays. Others ask the model twice there or add noise of their own. */
  readonly leaves?: "share";
  /** The noise itself is the picture: it stops before its first step. */
  readonly untouched?: boolean;
  /** Why no one-step picture of it can be made again. */
  readonly refused?: string;
  /** Its own way to a step: from the schedule's level, asked at the highest, down to the lowest. */
  readonly toLowest?: boolean;
  readonly everyTwentieth?: boolean;
}

const adaptive = "asks the model as often as it finds right, and not once";

/** By infotext's names. */
export const a1111Samplers: ReadonlyMap<string, Sampler> = new Map<string, Sampler>([
  ["DPM++ 2M", { schedule: "Karras", leaves: "share" }],
  ["DPM++ SDE", { schedule: "Karras", twice: true }],
  ["DPM++ 2M SDE", { schedule: "Exponential" }],
  ["DPM++ 2M SDE Heun", { schedule: "Exponential" }],
  ["DPM++ 2S a", { schedule: "Karras", twice: true }],
  ["DPM++ 3M SDE", { schedule: "Exponential", oneMore: true }],
  ["Euler a", {}],
  ["Euler", { leaves: "share" }],
  ["LMS", { leaves: "share" }],
  ["Heun", { twice: true }],
  ["DPM2", { schedule: "Karras", oneMore: true, twice: true }],
  ["DPM2 a", { schedule: "Karras", oneMore: true, twice: true }],
  ["DPM fast", { toLowest: true }],
  ["DPM adaptive", { refused: adaptive }],
  ["Restart", { schedule: "Karras", twice: true }],
  ["HeunPP2", { leaves: "share" }],
  ["IPNDM", { leaves: "share" }],
  ["IPNDM_V", { leaves: "share" }],
  ["DEIS", { leaves: "share" }],
  ["DDPM", {}],
  ["LCM", { everyTwentieth: true }],
  ["DDIM", { untouched: true }],
  ["DDIM CFG++", { untouched: true }],
  ["PLMS", { untouched: true }],
  ["UniPC", { refused: "refuses fewer than three steps" }],
]);

/** By the names in the graph. What is not here is taken for one that gives the denoised picture, with a note. */
export const comfySamplers: ReadonlyMap<string, Sampler> = new Map<string, Sampler>([
  ...["euler", "heunpp2", "lms", "dpmpp_2m", "ipndm", "ipndm_v", "deis", "ddim"].map((name): [string, Sampler] => [
    name,
    { leaves: "share" },
  ]),
  ...["dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"].map((name): [string, Sampler] => [name, { oneMore: true }]),
  ...["dpm_fast", "dpm_adaptive"].map((name): [string, Sampler] => [name, { untouched: true }]),
]);

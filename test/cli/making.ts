// What the tests of generate and refine share: a small one-step model on disk, and the command run where nobody's models are.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { vi } from "vitest";
import { main } from "../../src/cli/index.ts";
import { png } from "../../src/metadata/carriers/png.ts";
import { writeDiffusersFolder } from "../support/tinyPipelines.ts";
import { freshFolder } from "./command.ts";

/** SD-Turbo's architecture at small widths, random weights: 32 x 32 pictures. */
export async function tinyModel(): Promise<string> {
  const folder = await freshFolder();
  await writeDiffusersFolder(join(folder, "tiny-turbo"), "turbo");
  return join(folder, "tiny-turbo");
}

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command in this process, run in that folder, which is its data folder too. */
export async function runIn(folder: string, args: readonly string[]): Promise<Said> {
  const said = { stdout: "", stderr: "" };
  const heard = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said[name] += text;
      return true;
    }),
  );
  Object.assign(process.env, { RENOIR_HOME: folder, HF_HUB_CACHE: folder });
  process.stdout.setMaxListeners(100); // each command listens until its process ends
  const before = process.cwd();
  process.chdir(folder);
  try {
    const code = await main(args);
    return { code, ...said };
  } finally {
    process.chdir(before);
    process.exitCode = undefined;
    for (const spy of heard) spy.mockRestore();
  }
}

export const pixelsOf = async (file: string): Promise<Buffer> => sharp(file).raw().toBuffer();

/** A picture of one colour whose file says this in A1111's words. */
export async function pictureSaying(file: string, infotext: string): Promise<string> {
  const image = sharp({ create: { width: 32, height: 32, channels: 3, background: "orange" } });
  const bytes = await image.png().toBuffer();
  await writeFile(file, png.edit!(bytes, [{ do: "add", kind: "text", keyword: "parameters", text: infotext }]));
  return file;
}

// What a refine begins with: a picture of the library, a picture that a job made, or words alone.

import type { ImageSource } from "../../../../src/server/api/common.ts";
import type { LibraryPicture } from "../../../../src/server/api/library.ts";
import type { InfoReply } from "../../../../src/server/api/pictures.ts";

export interface Origin {
  readonly picture?: { readonly src: string; readonly name: string };
  /** What the request names or brings. */
  readonly image?: ImageSource;
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed: string | null;
  readonly model: string | null;
  readonly width?: number;
  readonly height?: number;
  readonly host: string | null;
  readonly warnings: readonly string[];
  /** The settings of the run that this one goes on from. */
  readonly request?: Readonly<Record<string, unknown>>;
}

export function originOfPicture({ id, file, name, info, ...picture }: LibraryPicture): Origin {
  return {
    ...saidBy(info),
    picture: { src: file, name },
    image: { id },
    model: picture.model,
    width: picture.width,
    height: picture.height,
  };
}

export const originOfPrompt = (prompt: string): Origin => ({
  prompt,
  negativePrompt: "",
  seed: null,
  model: null,
  host: null,
  warnings: [],
});

export const saidBy = (info: InfoReply) => ({
  prompt: info.prompt ?? "",
  negativePrompt: info.negativePrompt ?? "",
  seed: info.seed,
  model: info.settings.Model ?? null,
  host: info.host,
  warnings: info.warnings,
  ...(info.width && info.height && { width: info.width, height: info.height }),
});

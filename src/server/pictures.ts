// Pictures that requests name: their bytes, a path, or an id of the library; and what their files say.

import { RequestError } from "../errors.ts";
import type { ErrorReply, ImageSource } from "./api/common.ts";
import type { InfoReply } from "./api/pictures.ts";
import { replyOf, statusOf, toRenoirError } from "./errors.ts";
import { bytesOfBase64 } from "./jsonBody.ts";
import type { Services } from "./services.ts";
import { type Uploads, writeUpload } from "./uploads.ts";

/** A picture's own failure: it does not spoil its neighbours. */
export interface Unusable {
  readonly error: ErrorReply["error"];
}

export interface Found {
  readonly path: string;
}

/** Where the picture lies, after checking that it may be read. */
export async function findPicture(
  source: ImageSource,
  { library }: Pick<Services, "library">,
  uploads: Uploads,
): Promise<string> {
  if (typeof source !== "string") return "path" in source ? library.within(source.path) : library.fileOf(source.id);
  const sent = uploads.pathOf(source);
  if (sent !== undefined) return sent;
  const bytes = bytesOfBase64(source);
  if (bytes.length > 0) return writeUpload(uploads, bytes);
  throw new RequestError("The picture is neither base64 nor a data URL.", {
    hint: 'Send its bytes in base64, or { "path": ... } of a picture in one of the library\'s folders.',
  });
}

/** The same for many; one that is not there or may not be read is its own failure. What fails for all, as a full disk, is not. */
export function findPictures(
  sources: readonly ImageSource[],
  services: Pick<Services, "library">,
  uploads: Uploads,
): Promise<(Found | Unusable)[]> {
  return Promise.all(
    sources.map(async (source) => {
      try {
        return { path: await findPicture(source, services, uploads) };
      } catch (error) {
        return { error: failureOf(error) };
      }
    }),
  );
}

function failureOf(error: unknown): ErrorReply["error"] {
  const ours = toRenoirError(error);
  if (ours.code === "too-large" || statusOf(ours) >= 500) throw error;
  return replyOf(ours).error;
}

/** By a process of its own: a hostile file holds up nobody. */
export async function readInfo(
  path: string,
  { readers }: Pick<Services, "readers">,
): Promise<{ info: InfoReply } | Unusable> {
  const [reading] = await readers.read([path]);
  if ("facts" in reading!) return { info: reading.facts.info };
  return { error: { code: "image", message: reading!.failure.message } };
}

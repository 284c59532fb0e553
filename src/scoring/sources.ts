// Where rewards are published: what `renoir models pull` fetches, and under which licence it stands.

import { RequestError, SystemError } from "../errors.ts";
import { type RemoteFile, reasonOf } from "./download.ts";

export interface Source {
  readonly repo: string;
  readonly file: string;
  readonly license: string;
}

export const sources: Readonly<Record<string, Source>> = {
  imagereward: { repo: "zai-org/ImageReward", file: "ImageReward.pt", license: "Apache-2.0" }, // formerly THUDM/ImageReward
};

/** The published source of a reward's checkpoint. */
export function sourceOf(name: string): Source {
  if (Object.hasOwn(sources, name.toLowerCase())) return sources[name.toLowerCase()]!;
  throw new RequestError(`"${name}" can not be fetched; what can is ${Object.keys(sources).join(", ")}.`, {
    hint: "Download the checkpoint by hand and use `renoir models add NAME PATH`.",
  });
}

/** Asks the hub for size, version and hash. HF_ENDPOINT names another hub or a mirror, as in the publisher's own tools. */
export async function locate({ repo, file }: Source, hub = process.env.HF_ENDPOINT): Promise<RemoteFile> {
  const { fileDownloadInfo } = await import("@huggingface/hub"); // only who fetches pays for loading it
  const info = await fileDownloadInfo({ repo, path: file, ...(hub ? { hubUrl: hub.replace(/\/+$/, "") } : {}) }).catch(
    (cause) => {
      throw new SystemError(`${repo} could not be asked for ${file}: ${reasonOf(cause)}.`, {
        hint: "Check the network. HF_ENDPOINT names a mirror; a file that was downloaded by hand is added with `renoir models add`.",
        cause,
      });
    },
  );
  if (!info) throw new SystemError(`${repo} has no file ${file} any more.`, { hint: "Look for a newer Renoir." });
  const etag = info.etag.replace(/^W\//, "").replaceAll('"', "");
  // The hub tags large files with their sha256, small ones with a git hash.
  const sha256 = /^[0-9a-f]{64}$/.test(etag) ? { sha256: etag } : {};
  return { url: info.url, size: info.size, etag, ...sha256 };
}

// Downloads of large files: resumed where they broke off, checked before they count, never half there under their own name.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../../bin/lock.mjs";
import { RenoirError, SystemError } from "../errors.ts";

/** What is to be had, as its publisher says. */
export interface RemoteFile {
  readonly url: string;
  readonly size: number;
  /** Changes when the file does: a part of another version is not continued. */
  readonly etag: string;
  /** Checked where it is known. */
  readonly sha256?: string;
}

export interface Progress {
  readonly received: number;
  readonly total: number;
  /** Bytes a second, over this download so far. */
  readonly rate: number;
  readonly secondsLeft: number;
}

export interface DownloadOptions {
  onProgress?: (progress: Progress) => void;
  /** Stops the download; what has arrived stays for the next time. */
  signal?: AbortSignal;
  /** How often in a row a connection may bring nothing before giving up; 5 unless given. */
  attempts?: number;
  /** How long a connection may be silent; 30 seconds unless given. */
  silenceMs?: number;
  /** The wait before the second attempt; doubled for each later one. */
  pauseMs?: number;
  /** Bytes free on the disk of a folder. */
  freeSpace?: (folder: string) => Promise<number>;
}

/** Left free on the disk besides the file itself: a full disk breaks more than a download. */
const SPARE_BYTES = 256 * 2 ** 20;

const freeSpaceOf = async (folder: string) => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

const defaults = { attempts: 5, silenceMs: 30_000, pauseMs: 1_000, freeSpace: freeSpaceOf, onProgress: () => {} };

type Settings = DownloadOptions & Required<Omit<DownloadOptions, "signal">>;

/** Brings `remote` to `target`, from where an earlier try broke off; returns the file's sha256. */
export async function download(remote: RemoteFile, target: string, options: DownloadOptions = {}): Promise<string> {
  const settings = { ...defaults, ...options };
  await mkdir(dirname(target), { recursive: true });
  return withLock(`${target}.lock`, async () => {
    if (remote.sha256 && (await sizeOf(target)) === remote.size && (await sha256Of(target)) === remote.sha256) {
      return remote.sha256; // somebody else's download has just brought it, or an earlier one
    }
    const part = `${target}.part`;
    await dropForeignPart(part, remote);
    await needSpace(remote, part, settings);
    await fetchAll(remote, part, settings);
    const sha256 = await check(remote, part, target);
    await rename(part, target);
    await rm(`${part}.json`, { force: true });
    return sha256;
  });
}

/** A part is continued only if it belongs to this very version of the file. */
async function dropForeignPart(part: string, { url, size, etag }: RemoteFile): Promise<void> {
  const wanted = JSON.stringify({ url, size, etag });
  const found = await readFile(`${part}.json`, "utf8").catch(() => undefined);
  if (found === wanted && (await sizeOf(part)) <= size) return;
  await rm(part, { force: true });
  await writeFile(`${part}.json`, wanted);
}

async function needSpace(remote: RemoteFile, part: string, { freeSpace }: Settings): Promise<void> {
  const folder = dirname(part);
  const missing = remote.size - (await sizeOf(part));
  const free = await freeSpace(folder);
  if (missing === 0 || free >= missing + SPARE_BYTES) return;
  throw new SystemError(
    `${folder} has ${gigabytes(free)} free, and ${basename(remote.url)} needs ${gigabytes(missing)} and ${gigabytes(SPARE_BYTES)} to spare.`,
    { hint: "Free some space, or set RENOIR_HOME to a folder on a larger disk. What has been downloaded is kept." },
  );
}

/** Connects again and again until all is there; a connection that brought something starts the counting anew. */
async function fetchAll(remote: RemoteFile, part: string, settings: Settings): Promise<void> {
  const meter = startMeter(await sizeOf(part), remote.size, settings.onProgress);
  let failures = 0;
  while ((await sizeOf(part)) < remote.size) {
    settings.signal?.throwIfAborted();
    const before = await sizeOf(part);
    const problem = await fetchSome(remote, part, settings, meter).catch((error) => error);
    if (!problem) continue;
    if (problem instanceof RenoirError) throw problem;
    settings.signal?.throwIfAborted();
    failures = (await sizeOf(part)) > before ? 1 : failures + 1;
    if (failures >= settings.attempts) throw brokeOff(remote, await sizeOf(part), problem);
    await sleep(settings.pauseMs * 2 ** (failures - 1), undefined, { signal: settings.signal });
  }
}

/** One connection: asks for what is missing and writes it to the end of the part, as far as it comes. */
async function fetchSome(remote: RemoteFile, part: string, settings: Settings, meter: Meter): Promise<void> {
  const silence = new AbortController();
  const watch = setTimeout(() => silence.abort(new Error("the connection went silent")), settings.silenceMs);
  const signals = settings.signal ? [settings.signal, silence.signal] : [silence.signal];
  const have = await sizeOf(part);
  try {
    const response = await fetch(remote.url, {
      headers: { range: `bytes=${have}-`, "accept-encoding": "identity" },
      signal: AbortSignal.any(signals),
    });
    const start = startOf(response, remote, have);
    await using file = await openPart(part, start);
    await writeBody(response, file.handle, start, remote, () => watch.refresh(), meter);
  } finally {
    clearTimeout(watch);
    silence.abort(); // an answer that is not wanted must not go on arriving
  }
}

/** The part, opened to go on at `start`; flushed when it is let go, so that its size can be believed. */
async function openPart(part: string, start: number) {
  const handle = await open(part, start === 0 ? "w" : "r+");
  return {
    handle,
    async [Symbol.asyncDispose]() {
      await handle.sync();
      await handle.close();
    },
  };
}

async function writeBody(
  response: Response,
  file: FileHandle,
  start: number,
  remote: RemoteFile,
  heard: () => void,
  meter: Meter,
): Promise<void> {
  let position = start;
  for await (const chunk of response.body ?? []) {
    heard();
    if (position + chunk.length > remote.size) {
      throw new SystemError(`${remote.url} sends more than the ${remote.size} bytes that its publisher announced.`, {
        hint: "Try again later; if it stays so, a proxy may be changing the file.",
      });
    }
    await file.write(chunk, 0, chunk.length, position);
    position += chunk.length;
    meter(position);
  }
  if (position < remote.size) throw new Error(`the connection ended after ${position} of ${remote.size} bytes`);
}

/** Where the body of this answer belongs in the file; an answer that is not the file is an error. */
function startOf(response: Response, remote: RemoteFile, wanted: number): number {
  const { status, headers } = response;
  if (status >= 500 || status === 429) throw new Error(`the server answered with status ${status}`); // worth another try
  if (!response.ok) {
    throw new SystemError(`${remote.url} answered with status ${status} (${response.statusText}).`, {
      hint: "Check the address and the network; a file that needs a login must be downloaded by hand and added with `renoir models add`.",
    });
  }
  if (/^text\/html/i.test(headers.get("content-type") ?? "")) {
    throw new SystemError(`${remote.url} answered with a web page instead of the file.`, {
      hint: "A network's sign-in page or a proxy is in the way: open the address in a browser to see it.",
    });
  }
  if (status === 200) return 0; // the server does not resume: it starts over, and so do we
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
  if (Number(start) === wanted && Number(total) === remote.size) return wanted;
  throw new SystemError(
    `${remote.url} was asked for bytes ${wanted} and on of ${remote.size}, and answered with "${headers.get("content-range")}".`,
    { hint: "The server or a proxy before it is faulty. Download the file by hand and use `renoir models add`." },
  );
}

/** A file that is not what its publisher says must not stay, not even as a part to be continued. */
async function check(remote: RemoteFile, part: string, target: string): Promise<string> {
  const found = await sha256Of(part);
  if (remote.sha256 === undefined || found === remote.sha256) return found;
  await Promise.all([part, `${part}.json`].map((file) => rm(file, { force: true })));
  throw new SystemError(
    `${basename(target)} arrived damaged: its sha256 is ${found}, and its publisher says ${remote.sha256}. It was deleted.`,
    { hint: "Run the same command again; if it stays so, a proxy may be changing the file." },
  );
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  return hash.digest("hex");
}

function brokeOff(remote: RemoteFile, received: number, cause: Error): SystemError {
  return new SystemError(
    `The download of ${remote.url} broke off at ${received} of ${remote.size} bytes: ${reasonOf(cause)}.`,
    { hint: "Run the same command again: it goes on from there.", cause },
  );
}

/** fetch says only "fetch failed"; the reason is one level deeper. */
export function reasonOf(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause.message : "";
  return (cause || error.message).replace(/\.$/, "");
}

type Meter = (received: number) => void;

function startMeter(initial: number, total: number, report: (progress: Progress) => void): Meter {
  const began = performance.now();
  return (received) => {
    const rate = Math.max(0, received - initial) / Math.max(1e-3, (performance.now() - began) / 1000);
    report({ received, total, rate, secondsLeft: rate > 0 ? (total - received) / rate : Number.POSITIVE_INFINITY });
  };
}

const sizeOf = (file: string) =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

export const gigabytes = (bytes: number) =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;

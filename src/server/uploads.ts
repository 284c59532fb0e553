// Pictures that a request brings. They go to the disk as they arrive, so that neither their number nor their size is a matter of memory.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { TooLargeError } from "./errors.ts";

export interface UploadLimits {
  /** Bytes of one picture. */
  readonly picture: number;
  /** Bytes of all pictures of a request. */
  readonly request: number;
}

const MiB = 2 ** 20;
export const usualUploads: UploadLimits = { picture: 64 * MiB, request: 256 * MiB };

export const uploadFolder = (home: string) => join(home, "uploads");

/** What a server that was killed has left. */
export const clearUploads = (home: string) => rm(uploadFolder(home), { recursive: true, force: true });

/** The pictures of one request. In its body each stands as a text that nobody else can know. */
export class Uploads {
  readonly folder: string;
  readonly limits: UploadLimits;
  readonly #key = randomUUID();
  readonly #paths: string[] = [];
  #bytes = 0;
  #made: Promise<unknown> | undefined;
  #isOver = false;

  constructor(home: string, limits: UploadLimits = usualUploads) {
    this.folder = join(uploadFolder(home), randomUUID());
    this.limits = limits;
  }

  /** A new picture's place: what its bytes are written to, and the text that stands for it. */
  async open(): Promise<Upload> {
    if (this.#isOver) throw new TooLargeError("The request has been answered already; the rest of it is not taken.");
    this.#made ??= mkdir(this.folder, { recursive: true });
    await this.#made;
    const path = join(this.folder, String(this.#paths.length));
    this.#paths.push(path);
    return new Upload(path, `${this.#key}:${this.#paths.length - 1}`, (bytes, total) => this.#count(bytes, total));
  }

  /** Where the picture lies that this text stands for. */
  pathOf(text: string): string | undefined {
    return text.startsWith(`${this.#key}:`) ? this.#paths[Number(text.slice(this.#key.length + 1))] : undefined;
  }

  async dispose(): Promise<void> {
    this.#isOver = true;
    await this.#made; // a form that failed may have just begun to make it
    if (this.#made) await rm(this.folder, { recursive: true, force: true });
  }

  #count(bytes: number, ofPicture: number): void {
    this.#bytes += bytes;
    if (ofPicture > this.limits.picture) throw tooLarge("A picture of the request", this.limits.picture);
    if (this.#bytes > this.limits.request) throw tooLarge("The request's pictures together", this.limits.request);
  }
}

const tooLarge = (what: string, limit: number) =>
  new TooLargeError(`${what} ${what.endsWith("s together") ? "are" : "is"} larger than ${sizeText(limit)}.`, {
    hint: "Send fewer or smaller ones; pictures of the library need not be sent, only named: { id } or { path }.",
  });

export const sizeText = (bytes: number): string =>
  bytes >= MiB
    ? `${Math.round(bytes / MiB)} MiB`
    : bytes >= 1024
      ? `${Math.round(bytes / 1024)} KiB`
      : `${bytes} bytes`;

/** One picture on its way to the disk. */
export class Upload {
  readonly path: string;
  readonly text: string;
  readonly #stream: WriteStream;
  readonly #count: (bytes: number, total: number) => void;
  #bytes = 0;

  constructor(path: string, text: string, count: (bytes: number, total: number) => void) {
    this.path = path;
    this.text = text;
    this.#count = count;
    this.#stream = createWriteStream(path, { flags: "wx" });
    this.#stream.on("error", () => {}); // told by what comes next: a write, the wait for the disk, or the end
  }

  /** Waits where the disk is slower than the line. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    try {
      this.#count(bytes.length, this.#bytes);
    } catch (error) {
      this.#stream.destroy();
      throw error;
    }
    if (this.#stream.errored) throw this.#stream.errored;
    if (!this.#stream.write(bytes)) await once(this.#stream, "drain");
  }

  async end(): Promise<void> {
    this.#stream.end();
    await finished(this.#stream);
  }
}

/** A picture that came in one piece. */
export async function writeUpload(uploads: Uploads, bytes: Uint8Array): Promise<string> {
  const upload = await uploads.open();
  await upload.write(bytes);
  await upload.end();
  return upload.path;
}

// Bytes of a file that lies where the user put it: bounded reads, and the errors of opening it.
import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { basename } from "node:path";
import { WeightError } from "../errors.ts";

export interface OpenFile {
  /** The path as given, for its neighbours: in a hub cache the real file lies elsewhere. */
  readonly path: string;
  readonly realPath: string;
  /** The file's name as given, for messages. */
  readonly name: string;
  readonly size: number;
  readonly handle: FileHandle;
}

/** Opens `path`, passes it to `use` and closes it. */
export async function withFile<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const name = basename(path);
  const handle = await openRegular(path, name);
  try {
    const realPath = await realpath(path);
    const { size } = await handle.stat();
    return await use({ path, realPath, name, size, handle });
  } finally {
    await handle.close();
  }
}

const notOpened: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is not a folder",
  EACCES: "this user may not read it",
  EPERM: "this user may not read it",
  ELOOP: "its links lead in a circle",
  EISDIR: "it is a folder",
};

async function openRegular(path: string, name: string): Promise<FileHandle> {
  // Without O_NONBLOCK, opening a named pipe waits for somebody to write to it. (Windows has no such flag.)
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause) => {
    const reason = notOpened[cause?.code] ?? "it can not be opened";
    throw new WeightError(`${path}: ${reason}. A checkpoint file was wanted.`, {
      hint: "Check the path, and that the file is readable.",
      cause,
    });
  });
  const stat = await handle.stat();
  if (stat.isFile()) return handle;
  await handle.close();
  const found = stat.isDirectory() ? "is a folder" : "is neither a file nor a folder";
  throw new WeightError(`${name} ${found}, but a checkpoint file was wanted.`, {
    hint: "Give the file inside it: a .safetensors, .pt, .pth, .bin or .ckpt file, or the .index.json of one in shards.",
  });
}

/** Bytes [start, start + length) of the file; the caller has checked that they lie inside it. */
export async function readBytes(handle: FileHandle, start: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    // One read call takes at most 2^31 - 1 bytes.
    const size = Math.min(length - done, 2 ** 30);
    const { bytesRead } = await handle.read(bytes, done, size, start + done);
    if (bytesRead === 0)
      throw new WeightError(`The file ended at byte ${start + done} while it was read: it was shortened.`);
    done += bytesRead;
  }
  return bytes;
}

/** "1234567" as people read it. */
export const count = (n: number | bigint) => n.toLocaleString("en-GB");

// What torch.save wrote before PyTorch 1.6: five pickles (a magic number, a version, the machine, the state_dict, the keys of
// its storages), then the storages, each after its number of elements. After _legacy_load in torch/serialization.py.

import { EndedEarly } from "./byteReader.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type OpenFile, readBytes } from "./file.ts";
import { MAX_PICKLE_BYTES, type PickleHost, type PyValue, readPickle } from "./pickle.ts";
import { stateDictOf } from "./stateDict.ts";
import { type Storage, storageOf, torchNames } from "./torch.ts";
import { bigEndian, refusal, torchCheckpoint } from "./torchZip.ts";
import type { Extent } from "./zip.ts";

/** 0x1950a86a20f9469cfc6c, pickled: PROTO 2, LONG1 of 10 bytes. */
const MAGIC = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const VERSION = 1001;
/** Before the data of each storage. */
const COUNT_BYTES = 8;
/** The pickles' length is written nowhere; most fit into this, and else more is read. */
const FIRST_WINDOW_BYTES = 2 ** 20;

export const looksLikeTorchLegacy = (start: Uint8Array) => MAGIC.every((byte, i) => start[i] === byte);

export async function openTorchLegacy(file: OpenFile): Promise<Checkpoint> {
  const { root, keys, storages, end } = await readPickles(file);
  const state = stateDictOf(root, refusal(file));
  const extents = await locateStorages(file, keys, storages, end);
  return torchCheckpoint(file, "torch-legacy", state, extents);
}

interface Pickles {
  readonly root: PyValue;
  /** Of the storages, in the order in which their data follows. */
  readonly keys: PyValue;
  readonly storages: ReadonlyMap<string, Storage>;
  /** Where the data begins. */
  readonly end: number;
}

async function readPickles(file: OpenFile): Promise<Pickles> {
  const most = Math.min(file.size, MAX_PICKLE_BYTES);
  for (let window = Math.min(FIRST_WINDOW_BYTES, most); ; window = Math.min(4 * window, most)) {
    try {
      return parsePickles(file, await readBytes(file.handle, 0, window));
    } catch (error) {
      if (!(error instanceof EndedEarly) || window === most) throw error;
    }
  }
}

function parsePickles(file: OpenFile, bytes: Uint8Array): Pickles {
  const refuse = refusal(file);
  const storages = new Map<string, Storage>();
  const host: PickleHost = {
    where: `The pickle in ${file.name}`,
    find: torchNames(refuse),
    persistent: (id) => {
      const storage = storageOf(id, refuse);
      const known = storages.get(storage.key) ?? storage;
      if (known.bytes !== storage.bytes || known.dtype !== storage.dtype)
        throw refuse(`describes storage "${storage.key}" in two ways`);
      storages.set(storage.key, known);
      return known;
    },
  };
  const version = readPickle(bytes, host, MAGIC.length);
  if (version.value !== VERSION)
    throw refuse(`is of version ${String(version.value)} of PyTorch's old format, but only ${VERSION} is known`);
  const machine = readPickle(bytes, host, version.end);
  if (machine.value instanceof Map && machine.value.get("little_endian") === false) throw bigEndian(file, "big");
  const root = readPickle(bytes, host, machine.end);
  const keys = readPickle(bytes, host, root.end);
  return { root: root.value, keys: keys.value, storages, end: keys.end };
}

async function locateStorages(
  file: OpenFile,
  keys: PyValue,
  storages: ReadonlyMap<string, Storage>,
  dataStart: number,
): Promise<Map<string, Extent>> {
  const refuse = refusal(file);
  const extents = new Map<string, Extent>();
  let at = dataStart;
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (!storage || extents.has(storage.key))
      throw refuse("is damaged: its list of storages is not that of its tensors");
    const start = at + COUNT_BYTES;
    at = start + storage.bytes;
    if (at > file.size)
      throw refuse(
        `ends at byte ${file.size}, but its storages reach to byte ${at} at least: the download or copy broke off`,
      );
    await checkCount(file, storage, start);
    extents.set(storage.key, { start, end: at });
  }
  const missing = Array.from(storages.keys()).find((key) => !extents.has(key));
  if (missing !== undefined) throw refuse(`is damaged: it has no data for storage "${missing}"`);
  return extents;
}

/** The number of elements, or of bytes where the writer had untyped storages. */
async function checkCount(file: OpenFile, storage: Storage, start: number): Promise<void> {
  const found = Buffer.from(await readBytes(file.handle, start - COUNT_BYTES, COUNT_BYTES)).readBigInt64LE(0);
  if (found === BigInt(storage.elements)) return;
  throw refusal(file)(
    `is damaged: storage "${storage.key}" should have ${storage.elements} elements, but its data says ${found}`,
  );
}

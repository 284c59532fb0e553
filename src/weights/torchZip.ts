// What torch.save has written since PyTorch 1.6: a zip archive with a pickle and, stored beside it, the bytes of each storage.
// After torch/serialization.py and caffe2/serialize/inline_container.cc of PyTorch 2.13. TorchScript archives have the same parts.
import { WeightError } from "../errors.ts";
import type { Checkpoint, StoredTensor } from "./checkpoint.ts";
import { count, type OpenFile, readBytes } from "./file.ts";
import { MAX_PICKLE_BYTES, readPickle } from "./pickle.ts";
import { type StateDict, stateDictOf } from "./stateDict.ts";
import { refuseOverlap, storedTensor } from "./tensor.ts";
import { storageOf, torchNames } from "./torch.ts";
import { type Extent, locate, readZip, type Zip } from "./zip.ts";

export async function openTorchZip(file: OpenFile): Promise<Checkpoint> {
  const zip = await readZip(file);
  const root = rootOf(file, zip);
  await refuseBigEndian(file, zip, root);
  const refuse = refusal(file);
  const { value } = readPickle(await readRootPickle(file, zip, root), {
    where: `The pickle in ${file.name}`,
    find: torchNames(refuse),
    persistent: (id) => storageOf(id, refuse),
  });
  const state = stateDictOf(value, refuse);
  const extents = await locateStorages(file, zip, root, state);
  return torchCheckpoint(file, "torch", state, extents);
}

export const refusal = (file: OpenFile) => (why: string) =>
  new WeightError(`${file.name} ${why}.`, { hint: "Save its state_dict alone, or use the model's .safetensors file." });

/** Everything lies in one folder of the archive, named after the file it was first saved as. */
function rootOf(file: OpenFile, zip: Zip): string {
  const roots = Array.from(zip.entries.keys(), (name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1]).filter(
    (root) => root !== undefined,
  );
  if (roots.length === 1) return roots[0]!;
  throw new WeightError(
    `${file.name} is a zip archive, but no checkpoint: PyTorch's have one entry "<name>/data.pkl", and this one has ${roots.length || "none"}.`,
    { hint: "If it was packed to be sent, unpack it and give the file inside." },
  );
}

async function refuseBigEndian(file: OpenFile, zip: Zip, root: string): Promise<void> {
  const entry = zip.entries.get(`${root}/byteorder`);
  if (!entry) return; // before PyTorch 2.1, and in TorchScript: little
  const { start, end } = await locate(file, zip, entry);
  const order = Buffer.from(await readBytes(file.handle, start, Math.min(end - start, 16))).toString("latin1");
  if (order !== "little") throw bigEndian(file, order);
}

export const bigEndian = (file: OpenFile, order: string) =>
  new WeightError(
    `${file.name} stores its numbers in the byte order "${order}", but they are used in place and must be "little".`,
    {
      hint: "Save it again with PyTorch on an ordinary (little-endian) machine.",
    },
  );

async function readRootPickle(file: OpenFile, zip: Zip, root: string): Promise<Uint8Array> {
  const { start, end } = await locate(file, zip, zip.entries.get(`${root}/data.pkl`)!);
  if (end - start <= MAX_PICKLE_BYTES) return readBytes(file.handle, start, end - start);
  throw new WeightError(
    `The pickle in ${file.name} has ${count(end - start)} bytes, more than the ${count(MAX_PICKLE_BYTES)} that are believed.`,
  );
}

/** Only the storages that tensors use: what belongs to an optimizer's state may be left out of the file. */
async function locateStorages(
  file: OpenFile,
  zip: Zip,
  root: string,
  { tensors }: StateDict,
): Promise<Map<string, Extent>> {
  const extents = new Map<string, Extent>();
  for (const [name, { storage }] of tensors) {
    if (extents.has(storage.key)) continue;
    const entry = zip.entries.get(`${root}/data/${storage.key}`);
    if (!entry)
      throw refusal(file)(
        `is damaged: it has no entry "${root}/data/${storage.key}", where tensor "${name}" should be`,
      );
    extents.set(storage.key, await locate(file, zip, entry));
  }
  return extents;
}

/** The tensors of a state_dict, each given its place in the file. */
export function torchCheckpoint(
  file: OpenFile,
  kind: Checkpoint["kind"],
  state: StateDict,
  extents: ReadonlyMap<string, Extent>,
): Checkpoint {
  const ranges = Array.from(extents, ([key, extent]) => ({ what: `storage "${key}"`, ...extent }));
  refuseOverlap(file.name, ranges);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { storage, dtype, skip, shape, strides }] of state.tensors) {
    const { start, end } = extents.get(storage.key)!;
    if (storage.bytes > end - start) {
      throw refusal(file)(
        `is damaged: storage "${storage.key}" should have ${storage.bytes} bytes but has ${end - start}`,
      );
    }
    const bounds = { file: file.realPath, start, end: start + storage.bytes };
    tensors.set(name, storedTensor(file.name, { name, dtype, shape, strides, skip, ...bounds }));
  }
  const metadata: Record<string, string> = state.wrapping.length ? { wrapping: state.wrapping.join(".") } : {};
  return { path: file.path, name: file.name, kind, tensors, metadata };
}

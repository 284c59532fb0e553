// Files that are not what they say: each message names the file, what was found and what to try, and comes as a WeightError.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { WeightError } from "../../src/errors.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { readTensor } from "../../src/weights/read.ts";
import { safetensors, scratch, tensorPickle, torchFile, zip } from "./build.ts";

const file = scratch();
const fixture = (name: string) => join(import.meta.dirname, "fixtures", name);

async function refusal(path: string): Promise<WeightError> {
  const error = await openCheckpoint(path).catch((error) => error);
  expect(error).toBeInstanceOf(WeightError);
  return error;
}

describe("files of other kinds", () => {
  const contents: Record<string, [Uint8Array | string, RegExp]> = {
    "empty.pt": ["", /empty\.pt \(0 bytes\) is empty/],
    "pointer.safetensors": [
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3438101640\n",
      /Git LFS pointer/,
    ],
    "page.pt": ["<!DOCTYPE html><html><body>Sign in</body></html>", /web page/],
    "gated.safetensors": ['\n <html lang="en">403</html>', /web page/],
    "refused.bin": ['{"error": "Repository not found"}', /no weight_map, and says the error "Repository not found"/],
    "zeros.ckpt": [new Uint8Array(4096), /nothing but zeros/],
    "model.gguf": ["GGUF\x03\0\0\0", /GGUF/],
    "picture.pt": [Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), /picture/],
    "packed.pt": [Buffer.from("\x1f\x8b\x08\0", "latin1"), /compressed archive/],
    "keras.bin": [Buffer.from("\x89HDF\r\n\x1a\n", "latin1"), /HDF5/],
    "note.pt": ["Access denied", /plain text/],
    "plain.pkl": [Buffer.from("\x80\x04}.", "latin1"), /pickle, but not one that torch\.save has written/],
    "noise.pt": [
      Buffer.from("\x01\x02\xfe\xff\x10\x20\x30\x40", "latin1"),
      /begins with the bytes 01 02 fe ff 10 20 30 40/,
    ],
    "other.zip": [zip([{ name: "readme.txt", data: Buffer.from("hello") }]), /zip archive, but no checkpoint/],
  };

  test.each(Object.entries(contents))("%s", async (name, [content, message]) => {
    const error = await refusal(file(name, content));
    expect(error.message).toMatch(message);
    expect(error.message).toContain(name);
    expect(error.hint).toMatch(/\.$/);
  });

  test("a folder, a path to nowhere, a link to itself and a named pipe", async () => {
    expect((await refusal(import.meta.dirname)).message).toMatch(/weights is a folder/);
    expect((await refusal("/nowhere/x.pt")).message).toMatch(/\/nowhere\/x\.pt: there is no such file/);
    const loop = join(dirname(file("x", "")), "loop.pt");
    symlinkSync(loop, loop);
    expect((await refusal(loop)).message).toMatch(/lead in a circle/);
  });

  test.skipIf(process.platform === "win32")("a named pipe is refused at once, not waited for", async () => {
    const pipe = join(dirname(file("x", "")), "pipe.pt");
    execFileSync("mkfifo", [pipe]);
    expect((await refusal(pipe)).message).toMatch(/neither a file nor a folder/);
  });

  test("the ending of the name is not believed, the content is", async () => {
    const renamed = file("really-safetensors.ckpt", readFileSync(fixture("every.safetensors")));
    expect((await openCheckpoint(renamed)).kind).toBe("safetensors");
    expect((await openCheckpoint(file("really-torch.safetensors", readFileSync(fixture("module.pt"))))).kind).toBe(
      "torch",
    );
  });
});

describe("safetensors whose header lies", () => {
  const w = (more: object) => ({ w: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24], ...more } });
  const headers: Record<string, [string | object, number, RegExp]> = {
    "data beyond the file": [w({}), 10, /broke off/],
    "fewer bytes than its shape": [
      w({ shape: [2, 4] }),
      24,
      /of shape \[2,4\] and dtype float32 needs 32 bytes, but its storage holds 24/,
    ],
    "more bytes than its shape": [w({ shape: [2] }), 24, /has 8 bytes, but its data_offsets cover 24/],
    "offsets backwards": [w({ data_offsets: [24, 0] }), 24, /data_offsets \[24,0\]/],
    "negative offsets": [w({ data_offsets: [-24, 0] }), 24, /data_offsets \[-24,0\]/],
    "offsets that are no numbers": [w({ data_offsets: ["0", "24"] }), 24, /data_offsets/],
    "a negative size": [w({ shape: [-2, -3] }), 24, /shape \[-2,-3\], which is not a list of sizes/],
    "a size with a fraction": [w({ shape: [1.5, 4] }), 24, /not a list of sizes/],
    "sizes beyond 2^53": [w({ shape: [2 ** 40, 2 ** 40] }), 24, /larger than any file/],
    "too many dimensions": [w({ shape: new Array(65).fill(1) }), 24, /65 dimensions/],
    "an unknown dtype": [w({ dtype: "C64" }), 24, /dtype "C64"/],
    "no shape": [w({ shape: undefined }), 24, /no shape/],
    "tensors that share bytes": [
      { ...w({}), v: { dtype: "F32", shape: [1], data_offsets: [20, 24] } },
      24,
      /tensor "w" .* and tensor "v" .* overlap/,
    ],
    "one key twice": [
      '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0077":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      8,
      /the key "w" twice/,
    ],
    "one field twice": [
      '{"w":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}',
      4,
      /the key "dtype" twice/,
    ],
    "no JSON": ["{nonsense}", 0, /is not JSON/],
    "an entry that is no object": [{ w: 5 }, 0, /entry of tensor "w" is not an object/],
    "metadata that are no strings": [{ __metadata__: { a: 1 } }, 0, /not a table of strings/],
  };

  test.each(Object.entries(headers))("%s", async (what, [header, data, message]) => {
    const error = await refusal(file("lie.safetensors", safetensors(header, data)));
    expect(error.message, what).toMatch(message);
    expect(error.message).toContain("lie.safetensors");
  });

  test("a header that would be longer than the file, or than 100 MB", async () => {
    const long = safetensors("{}");
    long.writeBigUInt64LE(99_999_999n);
    expect((await refusal(file("long.safetensors", long))).message).toMatch(
      /has 10 bytes, but its header describes at least 100,000,007/,
    );
    long.writeBigUInt64LE(2n ** 63n);
    expect((await refusal(file("long.safetensors", long))).message).toMatch(/no known kind/);
  });

  test("keys that JavaScript's own objects know are names like others", async () => {
    const header =
      '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"constructor":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}';
    const { tensors } = await openCheckpoint(file("proto.safetensors", safetensors(header, Buffer.from([7, 8]))));
    expect([...(await readTensor(tensors.get("__proto__")!)).data]).toEqual([7]);
    expect([...(await readTensor(tensors.get("constructor")!)).data]).toEqual([8]);
  });
});

describe("PyTorch archives that lie", () => {
  const pickles: Record<string, [Parameters<typeof tensorPickle>[0], RegExp]> = {
    "a shape beyond its storage": [
      { shape: [2, 4] },
      /tensor "w" of shape \[2,4\] and dtype float32 needs 28 bytes, but its storage holds 24/,
    ],
    "an offset beyond its storage": [{ skip: 1 }, /needs 28 bytes/],
    "a negative offset": [{ skip: -1 }, /no storage, offset, sizes and strides/],
    "negative strides": [{ strides: [-3, 1] }, /no storage, offset, sizes and strides/],
    "fewer strides than sizes": [{ strides: [3] }, /has 2 sizes but 1 strides/],
    "sizes beyond 2^53": [{ shape: [2 ** 52, 2 ** 52], strides: [0, 0] }, /larger than any file/],
    "a storage larger than its entry": [{ elements: 7 }, /storage "0" should have 28 bytes but has 24/],
    "a storage that is not there": [{ key: "9" }, /no entry "w\/data\/9", where tensor "w" should be/],
    "a storage in another folder": [{ key: "../data.pkl" }, /no entry "w\/data\/\.\.\/data\.pkl"/],
    "a storage of complex numbers": [
      { storage: "ComplexFloatStorage" },
      /torch\.ComplexFloatStorage, whose numbers can not be read/,
    ],
    "a name that is no storage": [{ storage: "load" }, /names "torch\.load"/],
  };

  test.each(Object.entries(pickles))("%s", async (what, [claim, message]) => {
    expect((await refusal(file("lie.pt", torchFile(tensorPickle(claim))))).message, what).toMatch(message);
  });

  test("what the lies are measured against is a checkpoint", async () => {
    const data = new Float32Array([1, 2, 3, 4, 5, 6]);
    const bytes = new Uint8Array(data.buffer);
    for (const zip64 of [false, true]) {
      const entries = [
        { name: "w/data.pkl", data: tensorPickle() },
        { name: "w/data/0", data: bytes },
      ];
      const { tensors } = await openCheckpoint(file("true.pt", zip(entries, { zip64 })));
      expect(await readTensor(tensors.get("w")!)).toEqual({ data, shape: [2, 3] });
    }
  });

  test("a tensor that repeats little to much is not believed when it is read", async () => {
    const { tensors } = await openCheckpoint(
      file("bomb.pt", torchFile(tensorPickle({ shape: [2 ** 20, 2 ** 20], strides: [0, 0] }))),
    );
    await expect(readTensor(tensors.get("w")!)).rejects.toThrow(/repeats 4 bytes to a shape of \[1048576,1048576\]/);
  });

  const data = new Uint8Array(24);
  const pkl = { name: "w/data.pkl", data: tensorPickle() };
  const archives: Record<string, [Buffer, RegExp]> = {
    "a compressed storage": [zip([pkl, { name: "w/data/0", data, method: 8 }]), /"w\/data\/0" is compressed/],
    "an encrypted pickle": [zip([{ ...pkl, flags: 1 }]), /"w\/data\.pkl" is encrypted/],
    "one entry twice": [
      zip([pkl, { name: "w/data/0", data }, { name: "w/data/0", data }]),
      /two entries named "w\/data\/0"/,
    ],
    "two pickles": [zip([pkl, { ...pkl, name: "v/data.pkl" }]), /this one has 2/],
    "an entry outside": [zip([pkl, { name: "w/data/0", data, header: 5_000_000 }]), /would lie outside/],
    "an entry that is not there": [zip([pkl, { name: "w/data/0", data, header: 3 }]), /not where it should be/],
    "an entry longer than the file": [zip([pkl, { name: "w/data/0", data, size: 2 ** 31 }]), /would lie outside/],
    "fewer entries than announced": [zip([pkl], { announced: 2 }), /announces 2 entries but has 1/],
    "numbers the other way round": [zip([pkl, { name: "w/byteorder", data: Buffer.from("big") }]), /byte order "big"/],
    "no end": [zip([pkl]).subarray(0, 200), /no table of contents at its end: the download or copy broke off/],
  };

  test.each(Object.entries(archives))("%s", async (what, [archive, message]) => {
    expect((await refusal(file("lie.pt", archive))).message, what).toMatch(message);
  });

  test("two storages that share bytes", async () => {
    const two = Buffer.from(tensorPickle().toString("latin1").replace(/\.$/, ""), "latin1");
    const second = tensorPickle({ key: "1" })
      .subarray(3)
      .toString("latin1")
      .replace("\x58\x01\0\0\0w", "\x58\x01\0\0\0v");
    const entries = [
      { name: "w/data.pkl", data: Buffer.concat([two, Buffer.from(second, "latin1")]) },
      { name: "w/data/0", data },
      { name: "w/data/1", data },
    ];
    expect((await openCheckpoint(file("two.pt", zip(entries)))).tensors.size).toBe(2);
    const header = zip(entries.slice(0, 1)).indexOf("PK\x01\x02");
    const error = await refusal(file("two.pt", zip([entries[0]!, entries[1]!, { ...entries[2]!, header }])));
    expect(error.message).toMatch(/storage "0" .* and storage "1" .* overlap/);
  });
});

describe("PyTorch's tensors that have no bytes to use in place", () => {
  const refused: Record<string, RegExp> = {
    "refused.sparse.pt": /holds a sparse tensor/,
    "refused.quantised.pt": /holds a quantised tensor/,
    "refused.complex.pt": /ComplexFloatStorage/,
    "refused.module.pt": /names "__main__\.Small", which rebuilds no tensor/,
  };
  test.each(Object.entries(refused))("%s", async (name, message) => {
    const error = await refusal(fixture(name));
    expect(error.message).toMatch(message);
    expect(error.message).toContain(name);
  });
});

describe("pickles that nest or multiply", () => {
  const open = (pickle: string) => refusal(file("deep.pt", torchFile(Buffer.from(pickle, "latin1"))));

  test("a dict that contains itself", async () => {
    expect((await open("}q\x01X\x01\0\0\0ah\x01s.")).message).toMatch(/nests deeper than 64 levels/);
  });

  test("a list that doubles sixty times", async () => {
    const doubling = Array.from({ length: 60 }, () => "2\x86").join("");
    expect((await open(`]${doubling}.`)).message).toMatch(/holds more than 4194304 values/);
  });
});

describe("shards", () => {
  const index = (weightMap: object) => JSON.stringify({ metadata: {}, weight_map: weightMap });
  const shard = safetensors({ "block.0.weight": { dtype: "U8", shape: [1], data_offsets: [0, 1] } }, 1);

  test("a shard outside the index's folder is refused", async () => {
    for (const name of ["../x.safetensors", "/etc/passwd", "a\\b", "", "..", "C:x"]) {
      expect((await refusal(file("x.index.json", index({ w: name })))).message).toMatch(
        /shards lie beside their index/,
      );
    }
  });

  test("a missing shard, a tensor that is not in its shard, an index as shard", async () => {
    expect((await refusal(file("x.index.json", index({ w: "no.safetensors" })))).message).toMatch(
      /x\.index\.json needs 1 files, and "no\.safetensors" can not be used: .*there is no such file/,
    );
    file("one.safetensors", shard);
    expect((await refusal(file("x.index.json", index({ "block.1.weight": "one.safetensors" })))).message).toBe(
      'x.index.json says that tensor "block.1.weight" is in one.safetensors, but it is not. The nearest names in it are "block.0.weight".',
    );
    expect((await refusal(file("x.index.json", index({ w: "x.index.json" })))).message).toMatch(/can not be used/);
  });

  test("shards lie beside the index as it was given, and the tensors in the files that links lead to", async () => {
    const folder = dirname(file("blob-a", index({ "block.0.weight": "s.safetensors" })));
    file("blob-b", shard);
    mkdirSync(join(folder, "snapshot"));
    symlinkSync("../blob-a", join(folder, "snapshot", "x.index.json"));
    symlinkSync("../blob-b", join(folder, "snapshot", "s.safetensors"));
    const { tensors } = await openCheckpoint(join(folder, "snapshot", "x.index.json"));
    expect(tensors.get("block.0.weight")!.file).toMatch(/blob-b$/);
  });
});

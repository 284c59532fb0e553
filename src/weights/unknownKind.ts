// What a file that is no checkpoint is instead, as far as its first bytes tell, and what its owner can do.
import { WeightError } from "../errors.ts";
import { count, type OpenFile } from "./file.ts";

interface Known {
  readonly matches: (start: string) => boolean;
  readonly found: string;
  readonly hint: string;
}

const begins =
  (...signatures: string[]) =>
  (start: string) =>
    signatures.some((signature) => start.startsWith(signature));

const download = "Download the file again, and look at its size: it should be megabytes at least.";
const convert = "Use the model's .safetensors file, or PyTorch's .pt, .pth, .bin or .ckpt.";
const unpack = "Unpack it and give the file inside.";

/** The first that matches wins. */
const known: readonly Known[] = [
  { matches: (start) => start === "", found: "is empty", hint: download },
  {
    matches: begins("version https://git-lfs"),
    found: "is a Git LFS pointer, a note of 130 bytes in the place of the file",
    hint: "Run `git lfs pull` in its repository, or download the file itself.",
  },
  {
    matches: (start) => /^(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml|head|body|!--)/i.test(start),
    found: "is a web page and no checkpoint: what was downloaded is an error or a login",
    hint: "Open it in a browser to see what it says, log in or accept the licence there, and download the file again.",
  },
  {
    matches: (start) => /^\0+$/.test(start),
    found: "begins with nothing but zeros: the download was never filled in",
    hint: download,
  },
  { matches: begins("PK"), found: "is an empty or split zip archive", hint: download },
  { matches: begins("GGUF", "GGML", "ggjt"), found: "is in llama.cpp's format (GGUF)", hint: convert },
  { matches: begins("\x89HDF"), found: "is an HDF5 file, as Keras writes them", hint: convert },
  { matches: begins("\x93NUMPY"), found: "is a NumPy array", hint: convert },
  {
    matches: begins("\x1f\x8b", "BZh", "\xfd7zXZ", "7z\xbc\xaf", "Rar!", "\x28\xb5\x2f\xfd"),
    found: "is a compressed archive",
    hint: unpack,
  },
  {
    matches: (start) => start.startsWith("ustar", 257),
    found: "is a tar archive, as PyTorch wrote them before 0.1.10",
    hint: convert,
  },
  { matches: begins("\x89PNG", "\xff\xd8\xff", "RIFF", "GIF8"), found: "is a picture", hint: convert },
  { matches: begins("\x7fELF", "MZ", "\xcf\xfa\xed\xfe"), found: "is a program", hint: convert },
  {
    matches: (start) => start[0] === "\x80" && "\x02\x03\x04\x05".includes(start[1]!),
    found: "is a pickle, but not one that torch.save has written",
    hint: convert,
  },
  { matches: (start) => /^[\t\r\n -~]+$/.test(start), found: "is plain text", hint: download },
];

export function unknownKind(file: OpenFile, start: Uint8Array): WeightError {
  const text = Buffer.from(start).toString("latin1");
  const { found, hint } = known.find(({ matches }) => matches(text)) ?? { found: unknown(start), hint: convert };
  return new WeightError(
    `${file.name} (${count(file.size)} bytes) ${found}. A safetensors file, a PyTorch checkpoint or the index of one in shards was wanted.`,
    { hint },
  );
}

const unknown = (start: Uint8Array) =>
  `is of no known kind: it begins with the bytes ${Buffer.from(start.subarray(0, 8))
    .toString("hex")
    .replace(/..(?=.)/g, "$& ")}`;

// The first frame of a GIF as Pillow shows it (GifImagePlugin.py and GifDecode.c, Pillow 13.0.0). Other readers
// blacken clear places; Pillow keeps the colour of the transparent index, and that is what gets scored.

/** A frame with its colours looked up, or plain gray if its palette says nothing else. */
export interface GifFrame {
  mode: "P" | "L";
  width: number;
  height: number;
  data: Uint8Array;
}

interface Header extends Area {
  canvas: { width: number; height: number };
  palette: Uint8Array | undefined;
  transparent: number | undefined;
  interlaced: boolean;
  /** Where the pixels' codes begin: the code size, then blocks. */
  at: number;
}

interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
}

const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const IMAGE = 0x2c;
const TRAILER = 0x3b;

/** Rows of an interlaced frame come in four sweeps: GIF89a, appendix E. */
const SWEEPS = [
  { from: 0, step: 8 },
  { from: 4, step: 8 },
  { from: 2, step: 4 },
  { from: 1, step: 2 },
];

/** The size Pillow gives the picture: the canvas, or more if the first frame passes it. */
export function gifSize(bytes: Uint8Array): { width: number; height: number } {
  const { canvas, left, top, width, height } = readHeader(bytes);
  return { width: Math.max(canvas.width, left + width), height: Math.max(canvas.height, top + height) };
}

/** Throws an Error in plain words if the file is damaged. */
export function readGifFrame(bytes: Uint8Array): GifFrame {
  const header = readHeader(bytes);
  const size = gifSize(bytes);
  const indices = new Uint8Array(size.width * size.height).fill(header.transparent ?? 0);
  const pixels = unpack(joinBlocks(bytes, header.at + 1), bytes[header.at]!, header.width * header.height);
  rowOrder(header).forEach((y, row) => {
    const from = row * header.width;
    indices.set(pixels.subarray(from, from + header.width), (header.top + y) * size.width + header.left);
  });
  if (!header.palette) return { mode: "L", ...size, data: indices };
  return { mode: "P", ...size, data: lookUp(indices, header.palette) };
}

function readHeader(bytes: Uint8Array): Header {
  const u8 = (at: number) => bytes[at] ?? missing("before its first frame");
  const u16 = (at: number) => u8(at) | (u8(at + 1) << 8);
  const canvas = { width: u16(6), height: u16(8) };
  const shared = readPalette(bytes, 13, u8(10));
  let transparent: number | undefined;
  let at = 13 + shared.length;
  for (;;) {
    const kind = u8(at);
    if (kind === TRAILER) throw new Error("it holds no frame");
    if (kind === IMAGE) break;
    if (kind === EXTENSION) {
      if (u8(at + 1) === GRAPHIC_CONTROL && u8(at + 3) & 1) transparent = u8(at + 6);
      at = afterBlocks(bytes, at + 2);
    } else at++;
  }
  const own = readPalette(bytes, at + 10, u8(at + 9));
  return {
    canvas,
    left: u16(at + 1),
    top: u16(at + 3),
    width: u16(at + 5),
    height: u16(at + 7),
    palette: colours(own.length > 0 ? own : shared),
    transparent,
    interlaced: (u8(at + 9) & 0x40) !== 0,
    at: at + 10 + own.length,
  };
}

function missing(where: string): never {
  throw new Error(`it ends ${where}`);
}

function readPalette(bytes: Uint8Array, at: number, flags: number): Uint8Array {
  if (!(flags & 0x80)) return new Uint8Array();
  return bytes.subarray(at, at + 3 * (2 << (flags & 7)));
}

/** A palette whose colour i is the gray i says nothing: Pillow calls such a picture L, and resizes it smoothly. */
function colours(palette: Uint8Array): Uint8Array | undefined {
  return palette.every((value, i) => value === Math.trunc(i / 3)) ? undefined : palette;
}

function afterBlocks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at]) at += bytes[at]! + 1;
  return at + 1;
}

function joinBlocks(bytes: Uint8Array, from: number): Uint8Array {
  const end = Math.min(bytes.length, afterBlocks(bytes, from));
  const joined = new Uint8Array(end - from);
  let length = 0;
  for (let at = from; at < end && bytes[at]; at += bytes[at]! + 1) {
    const block = bytes.subarray(at + 1, at + 1 + bytes[at]!);
    joined.set(block, length);
    length += block.length;
  }
  return joined.subarray(0, length);
}

const TABLE = 4096;

/** GIF89a, appendix F: LZW with codes that grow from `bits` + 1 to 12 bits. */
function unpack(codes: Uint8Array, bits: number, count: number): Uint8Array {
  if (bits > 11) throw new Error(`its code size is ${bits}, and 1 to 11 are allowed`);
  const out = new Uint8Array(count);
  const clear = 1 << bits;
  const last = new Uint8Array(TABLE); // a code's last value, the code before it, and how long it is
  const before = new Uint16Array(TABLE);
  const lengths = new Uint16Array(TABLE).fill(1, 0, clear);
  for (let code = 0; code < clear; code++) last[code] = code;
  let [next, width, previous, filled, buffer, held, at] = [clear + 2, bits + 1, -1, 0, 0, 0, 0];

  /** Writes a code's values from its end and gives the first of them. */
  const write = (code: number): number => {
    const length = lengths[code]!;
    let value = code;
    for (let i = filled + length - 1; i >= filled; i--, value = before[value]!) if (i < count) out[i] = last[value]!;
    return out[filled]!;
  };

  while (filled < count) {
    for (; held < width; held += 8) buffer |= (codes[at++] ?? missing(`after ${filled} of ${count} pixels`)) << held;
    const code = buffer & ((1 << width) - 1);
    buffer >>>= width;
    held -= width;
    if (code === clear) {
      [next, width, previous] = [clear + 2, bits + 1, -1];
      continue;
    }
    if (code === clear + 1) missing(`after ${filled} of ${count} pixels`);
    if (code > next || (previous < 0 && code > clear)) throw new Error("its pixels' codes are damaged");
    if (previous >= 0 && next < TABLE) {
      before[next] = previous;
      lengths[next] = lengths[previous]! + 1;
      // The code about to be defined is what was written last, and its first value once more.
      last[next] = code === next ? out[filled - lengths[previous]!]! : 0;
    }
    const first = write(code);
    if (previous >= 0 && next < TABLE) {
      last[next] = first;
      next++;
      if (next === 1 << width && width < 12) width++;
    }
    filled += lengths[code]!;
    previous = code;
  }
  return out;
}

function rowOrder({ height, interlaced }: Header): number[] {
  const rows = Array.from({ length: height }, (_, y) => y);
  return interlaced ? SWEEPS.flatMap(({ from, step }) => rows.filter((y) => y % step === from)) : rows;
}

/** An index without a colour is black. */
function lookUp(indices: Uint8Array, palette: Uint8Array): Uint8Array {
  const table = Uint8Array.from({ length: 768 }, (_, i) => palette[i] ?? 0);
  const out = new Uint8Array(indices.length * 3);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i]! * 3;
    out[3 * i] = table[from]!;
    out[3 * i + 1] = table[from + 1]!;
    out[3 * i + 2] = table[from + 2]!;
  }
  return out;
}

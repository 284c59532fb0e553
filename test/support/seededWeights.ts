// Numbers from a name, the same as test/reference/seeded.py makes: integer arithmetic, one product and one sum in float64, one
// rounding to float32. So neither the reference's weights nor its pictures need be stored.

const SPREAD = 37837; // standard deviation of a sum of four uniform 16-bit numbers
const MIDDLE = 131070; // and its mean

/** MurmurHash3's 32-bit finaliser. */
function fmix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** FNV-1a over the name's UTF-8 bytes. */
export function nameHash(name: string): number {
  return new TextEncoder().encode(name).reduce((h, byte) => Math.imul(h ^ byte, 0x01000193) >>> 0, 0x811c9dc5);
}

/** The stream of 32-bit words called `name`: word i at any i. */
export function stream(name: string): (i: number) => number {
  const key = nameHash(name);
  return (i) => fmix((fmix(i) + key) | 0);
}

const size = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);
const halves = (word: number) => (word & 0xffff) + (word >>> 16);

/** Close to normal: four 16-bit halves of two words, summed. */
export function seededNormal(name: string, shape: readonly number[], mean = 0, scale = 1): Float32Array {
  const word = stream(name);
  const factor = scale / SPREAD;
  return new Float32Array(size(shape)).map(
    (_, i) => mean + (halves(word(2 * i)) + halves(word(2 * i + 1)) - MIDDLE) * factor,
  );
}

export function seededUniform(name: string, shape: readonly number[], low = 0, high = 1): Float32Array {
  const word = stream(name);
  const step = (high - low) / 2 ** 24;
  return new Float32Array(size(shape)).map((_, i) => low + (word(i) >>> 8) * step);
}

/** 8-bit RGB, row by row: cells x cells blocks of colour under a quarter of fine noise. */
export function seededPicture(name: string, width: number, height: number, cells = 5): Uint8Array {
  const coarse = stream(`${name}/coarse`);
  const fine = stream(`${name}/fine`);
  return new Uint8Array(width * height * 3).map((_, i) => {
    const pixel = Math.floor(i / 3);
    const row = Math.floor((Math.floor(pixel / width) * cells) / height);
    const column = Math.floor(((pixel % width) * cells) / width);
    const colour = coarse((row * cells + column) * 3 + (i % 3)) >>> 24;
    return (colour * 3 + (fine(i) >>> 24)) >> 2;
  });
}

const attention = /\.(qkv|query|key|value)\./;
const position = /pos_embed$|cls_token$/;

/** Mean and scale of a checkpoint's tensor by its key: large enough that scores differ by about 1. */
function weightScale(name: string, shape: readonly number[]): [mean: number, scale: number] {
  if (shape.length === 1) return [name.endsWith("weight") ? 1 : 0, 0.2];
  if (name.includes("embeddings.")) return [0, 0.02]; // small before their layer norm, as trained ones are: a wrong epsilon shows
  if (position.test(name)) return [0, 0.5];
  return [0, gain(name) / Math.sqrt(size(shape.slice(1)))];
}

/** Attention that picks, and a head (the transformers' own mlp is elsewhere) that spreads. */
function gain(name: string): number {
  if (attention.test(name)) return 2;
  return name.startsWith("mlp.layers.") ? 1.25 : 1;
}

/** The values of the tensor that a reference model has under this key; another seed gives another model. */
export function seededWeight(name: string, shape: readonly number[], seed = ""): Float32Array {
  return seededNormal(seed + name, shape, ...weightScale(name, shape));
}

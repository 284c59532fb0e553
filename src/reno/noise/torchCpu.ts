// torch.randn on a CPU generator, as PyTorch 2.13 draws it (ATen/native/cpu/DistributionTemplates.h, normal_kernel).

import { cos, log, sin } from "./float32.ts";
import { roundTo } from "./halves.ts";
import { Mt19937 } from "./mt19937.ts";
import { emptyDraw, type NoiseDType, type NoiseGenerator, type Seed, type Shape, seedBits } from "./types.ts";

/** From this many numbers on they are drawn in blocks of as many, in float32. */
const BLOCK = 16;
const HALF_BLOCK = BLOCK / 2;
const TWO_PI = Math.fround(2 * Math.PI);

export class TorchCpuGenerator implements NoiseGenerator {
  readonly #engine: Mt19937;
  /** The second number of a pair in float64; block draws leave it for the next small one. */
  #spare: number | undefined;

  constructor(seed: Seed) {
    this.#engine = new Mt19937(Number(seedBits(seed) & 0xffffffffn)); // the upper half of the seed is not used
  }

  randn(size: number | Shape, dtype: NoiseDType = "float32"): Float32Array {
    const numbers = emptyDraw(size, dtype);
    if (numbers.length < BLOCK) this.#fillOneByOne(numbers);
    else this.#fillBlocks(numbers, dtype);
    return roundTo(dtype, numbers);
  }

  #fillOneByOne(numbers: Float32Array): void {
    for (let i = 0; i < numbers.length; i++) numbers[i] = this.#takeSpare() ?? this.#drawPair();
  }

  #takeSpare(): number | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare;
  }

  #drawPair(): number {
    const angle = 2 * Math.PI * this.#uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-this.#uniform53()));
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  #fillBlocks(numbers: Float32Array, dtype: NoiseDType): void {
    const over = numbers.length % BLOCK;
    // float32 draws uniforms for all, the narrow types only for whole blocks; either then draws the last 16 anew.
    this.#fillUniform(dtype === "float32" ? numbers : numbers.subarray(0, numbers.length - over));
    for (let start = 0; start + BLOCK <= numbers.length; start += BLOCK) toNormal(numbers, start);
    if (over === 0) return;
    const last = numbers.subarray(-BLOCK);
    this.#fillUniform(last);
    toNormal(last, 0);
  }

  #fillUniform(numbers: Float32Array): void {
    for (let i = 0; i < numbers.length; i++) numbers[i] = (this.#engine.next() & 0xffffff) / 2 ** 24;
  }

  /** Two words of 32 bits, of which the lower 53 bits count: 21 of the first. */
  #uniform53(): number {
    const high = this.#engine.next() & 0x1fffff;
    return (high * 2 ** 32 + (this.#engine.next() >>> 0)) / 2 ** 53;
  }
}

/** Box and Muller 1958 on 16 uniforms in place: number j of the first half and number j of the second make a pair. */
function toNormal(numbers: Float32Array, start: number): void {
  for (let j = start; j < start + HALF_BLOCK; j++) {
    const radius = Math.fround(Math.sqrt(Math.fround(-2 * log(Math.fround(1 - numbers[j]!)))));
    const angle = Math.fround(TWO_PI * numbers[j + HALF_BLOCK]!);
    numbers[j] = radius * cos(angle);
    numbers[j + HALF_BLOCK] = radius * sin(angle);
  }
}

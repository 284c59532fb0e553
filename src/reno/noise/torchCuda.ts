// torch.randn on a CUDA generator: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") and Box-Muller,
// as modules/rng_philox.py of A1111 and Forge ("NV") re-makes it on the CPU, and laid out as ATen/native/cuda/DistributionTemplates.h does.

import { RequestError } from "../../errors.ts";
import { roundTo } from "./halves.ts";
import { emptyDraw, type NoiseDType, type NoiseGenerator, type Seed, type Shape, seedBits, shown } from "./types.ts";

const ROUNDS = 10;
const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const; // the golden ratio and √3 - 1
/** 2^-32 and 2^-32 · 2π in float32, as curand_normal.h has them. */
const TO_UNIT = Math.fround(2.3283064e-10);
const TO_ANGLE = Math.fround(2.3283064e-10 * 6.2831855);
/** CUDA threads of a block in PyTorch's kernels. */
const BLOCK_THREADS = 256;
const LANES = 4;

export interface CudaOptions {
  /**
   * The threads that the GPU holds at once: multiprocessors times resident threads of each, such as 28 · 1536 on an
   * RTX 3060. More numbers than threads are drawn in turns. Without it there are always enough, as in "NV".
   */
  readonly threads?: number;
}

export class TorchCudaGenerator implements NoiseGenerator {
  readonly #key: readonly [number, number];
  readonly #threads: number;
  #offset = 0;

  constructor(seed: Seed, { threads = Number.POSITIVE_INFINITY }: CudaOptions = {}) {
    const bits = seedBits(seed);
    this.#key = [Number(bits & 0xffffffffn), Number(bits >> 32n)];
    this.#threads = checkedThreads(threads);
  }

  /** Thread t draws four numbers at a time, for the places t, t + T, t + 2T, t + 3T when T threads run. */
  randn(size: number | Shape, dtype: NoiseDType = "float32"): Float32Array {
    const numbers = emptyDraw(size, dtype);
    const count = numbers.length;
    const threads = Math.min(this.#threads, Math.ceil(count / BLOCK_THREADS) * BLOCK_THREADS);
    const words = new Uint32Array(LANES);
    for (let first = 0; first < count; first += LANES * threads) {
      for (let thread = 0; thread < Math.min(threads, count - first); thread++) {
        philox(words, this.#offset, thread, this.#key);
        for (let lane = 0, at = first + thread; lane < LANES && at < count; lane++, at += threads)
          numbers[at] = normal(words, lane);
      }
      this.#offset++;
    }
    return roundTo(dtype, numbers);
  }
}

function checkedThreads(threads: number): number {
  if (
    threads === Number.POSITIVE_INFINITY ||
    (Number.isSafeInteger(threads) && threads > 0 && threads % BLOCK_THREADS === 0)
  )
    return threads;
  throw new RequestError(`"threads" is ${shown(threads)}; wanted is a multiple of ${BLOCK_THREADS}.`, {
    hint: "It is the GPU's number of multiprocessors times the threads that each of them holds, as in 28 * 1536.",
  });
}

/** The block of four words that this offset of this thread's sequence has. */
function philox(words: Uint32Array, offset: number, thread: number, [key0, key1]: readonly [number, number]): void {
  let a = offset;
  let b = 0;
  let c = thread;
  let d = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const fromA = highProduct(a, MULTIPLIERS[0]) ^ d ^ (key1 + Math.imul(round, WEYL[1]));
    const fromC = highProduct(c, MULTIPLIERS[1]) ^ b ^ (key0 + Math.imul(round, WEYL[0]));
    b = Math.imul(c, MULTIPLIERS[1]);
    d = Math.imul(a, MULTIPLIERS[0]);
    a = fromC;
    c = fromA;
  }
  words[0] = a;
  words[1] = b;
  words[2] = c;
  words[3] = d;
}

/** The upper 32 bits of a product, from 16 bits at a time. */
function highProduct(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return aHigh * bHigh + (middle >>> 16) + ((aLow * bHigh + (middle & 0xffff)) >>> 16);
}

/** curand_normal4: each pair of words makes a sine and a cosine. */
function normal(words: Uint32Array, lane: number): number {
  const pair = lane & 2;
  const radius = Math.sqrt(-2 * Math.log(words[pair]! * TO_UNIT + TO_UNIT / 2));
  const angle = words[pair + 1]! * TO_ANGLE + TO_ANGLE / 2;
  return radius * (lane & 1 ? Math.cos(angle) : Math.sin(angle));
}

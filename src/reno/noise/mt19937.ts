// MT19937 (Matsumoto and Nishimura 1998, "Mersenne Twister"), as ATen/core/MT19937RNGEngine.h seeds and draws it.

const WORDS = 624;
const SHIFT = 397;

export class Mt19937 {
  readonly #state = new Uint32Array(WORDS);
  #next = WORDS;

  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed;
    for (let j = 1; j < WORDS; j++) state[j] = Math.imul(1812433253, state[j - 1]! ^ (state[j - 1]! >>> 30)) + j;
  }

  /** The next 32 bits, as a signed number: callers mask what they need. */
  next(): number {
    if (this.#next === WORDS) this.#twistAll();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ (y >>> 18);
  }

  #twistAll(): void {
    const state = this.#state;
    for (let j = 0; j < WORDS - SHIFT; j++) state[j] = state[j + SHIFT]! ^ twist(state[j]!, state[j + 1]!);
    for (let j = WORDS - SHIFT; j < WORDS - 1; j++)
      state[j] = state[j + SHIFT - WORDS]! ^ twist(state[j]!, state[j + 1]!);
    state[WORDS - 1] = state[SHIFT - 1]! ^ twist(state[WORDS - 1]!, state[0]!);
    this.#next = 0;
  }
}

/** The top bit of u and the rest of v, times the matrix A. */
const twist = (u: number, v: number): number =>
  (((u & 0x80000000) | (v & 0x7fffffff)) >>> 1) ^ (v & 1 ? 0x9908b0df : 0);

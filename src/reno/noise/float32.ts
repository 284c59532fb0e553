// log, sin and cos as PyTorch's AVX2 and AVX-512 builds compute them for torch.randn (ATen/native/cpu/avx_mathfun.h): Cephes'
// polynomials in float32. The compiler fused products into the sums that follow them, and which ones shows in the last bit.
// Rounding as it does is what makes the results equal bit for bit, and so float16 noise too, where one such bit can become
// a step of 0.001 (Math.log and Math.cos differ from PyTorch in 38 % of the numbers, by up to 4.8e-7).

const round = Math.fround;

/** a b + c with one rounding: the product of two float32 is exact in float64. */
const fused = (a: number, b: number, c: number): number => round(a * b + c);

// ---- log (Cephes logf.c)

const SQRTHF = round(Math.SQRT1_2);
/** ln 2 in two parts: the first has few digits, so that its products are exact. */
const LN2_HIGH = round(0.693359375);
const LN2_LOW = round(-2.1219444e-4);
const [L0, L1, L2, L3, L4, L5, L6, L7, L8] = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(round) as [number, number, number, number, number, number, number, number, number];

const value = new Float32Array(1);
const bits = new Int32Array(value.buffer);

/** ln x for a normal positive float32. */
export function log(positive: number): number {
  value[0] = positive;
  let exponent = (bits[0]! >> 23) - 126;
  bits[0] = (bits[0]! & 0x7fffff) | 0x3f000000; // the mantissa, in [0.5, 1)
  let x = round(value[0]! - 1);
  if (value[0]! < SQRTHF) {
    exponent--;
    x = round(x + value[0]!);
  }
  const z = round(x * x);
  let y = fused(L0, x, L1);
  y = fused(y, x, L2);
  y = fused(y, x, L3);
  y = fused(y, x, L4);
  y = fused(y, x, L5);
  y = fused(y, x, L6);
  y = fused(y, x, L7);
  y = fused(y, x, L8);
  y = fused(round(y * x), z, round(exponent * LN2_LOW));
  y = round(y - 0.5 * z);
  return fused(exponent, LN2_HIGH, round(x + y));
}

// ---- sin and cos (Cephes sinf.c)

const FOUR_OVER_PI = round(4 / Math.PI);
/** π/4 in three parts, for the same reason. */
const [PIO4_A, PIO4_B, PIO4_C] = [0.78515625, 2.4187564849853516e-4, 3.774894977445941e-8].map(round) as [
  number,
  number,
  number,
];
const [S0, S1, S2] = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(round) as [number, number, number];
const [C0, C1, C2] = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(round) as [
  number,
  number,
  number,
];

export function sin(x: number): number {
  const turn = quarterTurn(x);
  const y = turn & 1 ? cosNear0(rest(x, turn)) : sinNear0(rest(x, turn));
  return turn & 2 ? -y : y;
}

export function cos(x: number): number {
  const turn = quarterTurn(x);
  const y = turn & 1 ? sinNear0(rest(x, turn)) : cosNear0(rest(x, turn));
  return (turn + 1) & 2 ? -y : y;
}

/** How many quarter turns lie nearest to x, which is not negative. */
const quarterTurn = (x: number): number => (Math.trunc(round(x * FOUR_OVER_PI)) + 1) >> 1;

/** x without them, in [-π/4, π/4]. */
function rest(x: number, turn: number): number {
  const eighths = 2 * turn;
  return fused(eighths, -PIO4_C, fused(eighths, -PIO4_B, fused(eighths, -PIO4_A, x)));
}

function sinNear0(x: number): number {
  const z = round(x * x);
  return fused(round(fused(fused(S0, z, S1), z, S2) * z), x, x);
}

function cosNear0(x: number): number {
  const z = round(x * x);
  return round(fused(round(fused(fused(C0, z, C1), z, C2) * z), z, -0.5 * z) + 1);
}

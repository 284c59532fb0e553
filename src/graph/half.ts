// Rounding to nearest, ties to even: of numbers, and to float16.

const scratch = new DataView(new ArrayBuffer(4));

/** The bits of the nearest float16, ties to even (IEEE 754-2019, 4.3.1); what is too large becomes infinite. */
export function float16Bits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude || 2 ** -24)), -14);
  const quantum = 2 ** (exponent - 10);
  const steps = roundHalfEven(magnitude / quantum); // up to 2048: a carry into the exponent adds up rightly
  return sign | (steps < 1024 ? steps : ((exponent + 14) << 10) + steps);
}

/** A half goes to the even neighbour, as in Python's round. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

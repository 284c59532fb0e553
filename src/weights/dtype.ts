// What each stored dtype is called by whom, how wide it is, and what its bits mean.
// Tags: https://github.com/huggingface/safetensors (Dtype); storages: torch/storage.py; float8: Micikevicius et al. 2022, "FP8 formats for deep learning".
import type { StoredDType } from "./checkpoint.ts";

export type TypedArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint16Array
  | Uint8Array;

interface Kind {
  readonly bytes: number;
  readonly safetensors: string;
  /** PyTorch's class of typed storages; dtypes that came later (float8) only have untyped ones. */
  readonly storage?: string;
  /** The array that holds it; of formats JavaScript lacks, the bits. */
  readonly array: new (
    buffer: ArrayBuffer,
  ) => TypedArray;
  /** Fields of a floating-point number narrower than 32 bits. */
  readonly float?: FloatFormat;
}

interface FloatFormat {
  readonly exponent: number;
  readonly mantissa: number;
  /** float8_e4m3fn spends the largest exponent on numbers: it has no infinity and one NaN of each sign. */
  readonly finiteTop?: boolean;
}

export const dtypes: Readonly<Record<StoredDType, Kind>> = {
  float64: { bytes: 8, safetensors: "F64", storage: "DoubleStorage", array: Float64Array },
  float32: { bytes: 4, safetensors: "F32", storage: "FloatStorage", array: Float32Array },
  float16: {
    bytes: 2,
    safetensors: "F16",
    storage: "HalfStorage",
    array: Uint16Array,
    float: { exponent: 5, mantissa: 10 },
  },
  bfloat16: {
    bytes: 2,
    safetensors: "BF16",
    storage: "BFloat16Storage",
    array: Uint16Array,
    float: { exponent: 8, mantissa: 7 },
  },
  int64: { bytes: 8, safetensors: "I64", storage: "LongStorage", array: BigInt64Array },
  int32: { bytes: 4, safetensors: "I32", storage: "IntStorage", array: Int32Array },
  int16: { bytes: 2, safetensors: "I16", storage: "ShortStorage", array: Int16Array },
  int8: { bytes: 1, safetensors: "I8", storage: "CharStorage", array: Int8Array },
  uint8: { bytes: 1, safetensors: "U8", storage: "ByteStorage", array: Uint8Array },
  bool: { bytes: 1, safetensors: "BOOL", storage: "BoolStorage", array: Uint8Array },
  float8_e4m3fn: {
    bytes: 1,
    safetensors: "F8_E4M3",
    array: Uint8Array,
    float: { exponent: 4, mantissa: 3, finiteTop: true },
  },
  float8_e5m2: { bytes: 1, safetensors: "F8_E5M2", array: Uint8Array, float: { exponent: 5, mantissa: 2 } },
};

export const dtypeNames = Object.keys(dtypes) as StoredDType[];

export const dtypeOfTag = new Map(dtypeNames.map((name) => [dtypes[name].safetensors, name]));

export const dtypeOfStorage = new Map(dtypeNames.flatMap((name) => storageEntry(name)));

function storageEntry(name: StoredDType): [string, StoredDType][] {
  const { storage } = dtypes[name];
  return storage ? [[storage, name]] : [];
}

const widened = new Map<StoredDType, Float32Array>();

/** The value of each bit pattern of a format of at most 16 bits, or undefined for other dtypes. Made once: 256 KB at most. */
export function valuesOf(dtype: StoredDType): Float32Array | undefined {
  const { bytes, float } = dtypes[dtype];
  if (!float) return undefined;
  const known = widened.get(dtype);
  if (known) return known;
  const values = Float32Array.from({ length: 2 ** (8 * bytes) }, (_, bits) => valueOfBits(bits, float));
  widened.set(dtype, values);
  return values;
}

/** IEEE 754-2019, 3.4: (-1)^s 2^(e - bias) (1 + m), without the 1 where e is 0. */
function valueOfBits(bits: number, { exponent, mantissa, finiteTop = false }: FloatFormat): number {
  const sign = bits >> (exponent + mantissa) ? -1 : 1;
  const top = 2 ** exponent - 1;
  const e = (bits >> mantissa) & top;
  const m = bits & (2 ** mantissa - 1);
  const bias = 2 ** (exponent - 1) - 1;
  if (e === top && finiteTop && m === 2 ** mantissa - 1) return Number.NaN;
  if (e === top && !finiteTop) return m ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  const fraction = m / 2 ** mantissa;
  return e ? sign * (1 + fraction) * 2 ** (e - bias) : sign * fraction * 2 ** (1 - bias);
}

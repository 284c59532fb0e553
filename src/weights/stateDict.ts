// From what a pickle holds to a flat table of named tensors: the state_dict out of its wrapping, nested names joined by dots.
import type { WeightError } from "../errors.ts";
import { PyObject, type PyValue } from "./pickle.ts";
import { MAX_TENSORS } from "./tensor.ts";
import { TorchTensor } from "./torch.ts";

/** Modules nest about ten deep; a pickle may contain itself, and then it is endless. */
export const MAX_DEPTH = 64;
/** A value may be had under many names, each of which may be had under many: an 8-line pickle can hold 2^60 names. */
export const MAX_VALUES = 2 ** 22;
/** {"model": {"state_dict": ...}} is the deepest seen. */
const MAX_WRAPPERS = 3;

/** What training scripts call the weights in a file that holds more, the likeliest first. ("params_ema" before "params", as BasicSR loads them.) */
const wrappers = ["state_dict", "model_state_dict", "model", "module", "params_ema", "params", "net", "weights"];

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** The wrappers taken off, outermost first, such as "state_dict". */
  readonly wrapping: readonly string[];
}

export function stateDictOf(root: PyValue, refuse: (why: string) => WeightError): StateDict {
  const { value, wrapping } = unwrap(root);
  const tensors = new Map<string, TorchTensor>();
  let visited = 0;
  const collect = (value: PyValue, path: readonly string[]): void => {
    if (++visited > MAX_VALUES) throw refuse(`holds more than ${MAX_VALUES} values`);
    if (path.length > MAX_DEPTH) throw refuse(`nests deeper than ${MAX_DEPTH} levels`);
    if (value instanceof TorchTensor) {
      const name = path.join(".") || "tensor";
      if (tensors.has(name)) throw refuse(`has two tensors named "${name}"`);
      if (tensors.size >= MAX_TENSORS) throw refuse(`holds more than ${MAX_TENSORS} tensors`);
      tensors.set(name, value);
      return;
    }
    for (const [key, part] of partsOf(value)) collect(part, [...path, String(key)]);
  };
  collect(value, []);
  return { tensors, wrapping };
}

/** What may hold tensors: dicts, lists, and the modules of TorchScript, whose state is their attributes. */
function partsOf(value: PyValue): Iterable<[PyValue, PyValue]> {
  if (value instanceof Map) return value;
  if (Array.isArray(value)) return value.entries();
  if (value instanceof PyObject && value.className.startsWith("__torch__.")) return partsOf(value.state);
  return [];
}

/** Takes off wrappers as long as that leads to a dict with tensors of its own. */
function unwrap(value: PyValue, depth = 0): { value: PyValue; wrapping: string[] } {
  if (!(value instanceof Map) || holdsTensor(value) || depth === MAX_WRAPPERS) return { value, wrapping: [] };
  for (const name of wrappers) {
    const inner = unwrap(value.get(name) ?? null, depth + 1);
    if (holdsTensor(inner.value)) return { value: inner.value, wrapping: [name, ...inner.wrapping] };
  }
  return { value, wrapping: [] };
}

/** A dict with tensors of its own is the state_dict itself, whatever else its keys are called. */
const holdsTensor = (value: PyValue) =>
  value instanceof Map && Array.from(value.values()).some((part) => part instanceof TorchTensor);

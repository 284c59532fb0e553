// Graphs of numerical operations as values: built, differentiated, written as ONNX and run.

export { chooseDType } from "./chooseDType.ts";
export { gradients, pullBack } from "./gradient.ts";
export { float16Bits, roundHalfEven } from "./half.ts";
export { bytesOf, type MemoryNeed, memoryOf } from "./memory.ts";
export * from "./ops/activation.ts";
export * from "./ops/convolution.ts";
export * from "./ops/elementwise.ts";
export * from "./ops/linear.ts";
export * from "./ops/movement.ts";
export * from "./ops/normalization.ts";
export * from "./ops/reduce.ts";
export { type ComputeDType, computedIn } from "./precision.ts";
export { recomputed } from "./recompute.ts";
export {
  type CompileOptions,
  compile,
  type Feeds,
  listProviders,
  type Provider,
  providers,
  type Results,
  Session,
} from "./session.ts";
export {
  constant,
  type DType,
  describe,
  elementCount,
  input,
  type NumericArray,
  parameter,
  type Shape,
  type Source,
  type Tensor,
} from "./tensor.ts";

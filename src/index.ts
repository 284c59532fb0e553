// Renoir as a library.

export * from "./errors.ts";
export { type ImageMetadata, readMetadata, writeScores } from "./metadata/index.ts";
export { type LoadPipelineOptions, loadPipeline } from "./reno/loadPipeline.ts";
export {
  createGenerator,
  type NoiseDType,
  type NoiseGenerator,
  type NoiseRequest,
  noise,
  type Rng,
  type Seed,
  TorchCpuGenerator,
  TorchCudaGenerator,
} from "./reno/noise/index.ts";
export type { OneStep, PredictionType } from "./reno/oneStep.ts";
export type { Conditioning, Embedding, Generated, PictureRequest, Pipeline } from "./reno/pipeline.ts";
export { type RefineOptions, type RefineState, type RefineStep, refine } from "./reno/refine.ts";
export { formatTrace, parseTrace, type Trace, traceStep } from "./reno/trace.ts";
export { type LoadRewardOptions, loadReward } from "./scoring/loadReward.ts";
export type { FloatPicture, FloatPixels, Ranking, Reward, RewardGradient } from "./scoring/reward.ts";

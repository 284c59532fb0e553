// Renoir as a library.

export * from "./errors.ts";
export { type ImageMetadata, readMetadata, writeScores } from "./metadata/index.ts";
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
export { type LoadRewardOptions, loadReward } from "./scoring/loadReward.ts";
export type { FloatPicture, FloatPixels, Ranking, Reward, RewardGradient } from "./scoring/reward.ts";

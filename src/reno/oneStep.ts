// One sampling step, as what it is: an affine map around the U-Net. Every sampler that people use is one at its only step;
// after diffusers 0.39, schedulers/.

import { WeightError } from "../errors.ts";
import { alphasCumprod, type NoiseSchedule, sigmaOf } from "./schedule.ts";

/** sample = scale·noise;  output = unet(inputScale·sample, timestep);  x0 = skip·sample + out·output */
export interface OneStep {
  readonly scale: number;
  readonly inputScale: number;
  readonly timestep: number;
  readonly skip: number;
  readonly out: number;
}

/** What the U-Net's output is: the noise in the sample, the mixture v = α·noise − σ·x0 (Salimans & Ho 2022), or the picture. */
export type PredictionType = "epsilon" | "v_prediction" | "sample";

/** A scheduler_config.json, as far as one step depends on it. */
export interface SchedulerConfig extends NoiseSchedule {
  /** diffusers' class, as "EulerDiscreteScheduler". */
  readonly kind: string;
  readonly predictionType?: PredictionType | undefined;
  readonly spacing?: "trailing" | "leading" | "linspace" | undefined;
  readonly stepsOffset?: number | undefined;
  readonly setAlphaToOne?: boolean | undefined;
  readonly finalSigma?: "zero" | "sigma_min" | undefined;
  readonly timestepScaling?: number | undefined;
  readonly originalSteps?: number | undefined;
  /** A step of one's own choice, as Hyper-SD's 800. */
  readonly timestep?: number | undefined;
}

/** a·sample + b·output: every quantity of a step is of this kind. */
interface Affine {
  readonly sample: number;
  readonly output: number;
}

const plus = (a: Affine, b: Affine): Affine => ({ sample: a.sample + b.sample, output: a.output + b.output });
const times = (k: number, a: Affine): Affine => ({ sample: k * a.sample, output: k * a.output });
const theSample: Affine = { sample: 1, output: 0 };

/** x0 from a sample √ᾱ·x0 + √(1 − ᾱ)·noise. */
const pictures: Readonly<Record<PredictionType, (alpha: number) => Affine>> = {
  epsilon: (alpha) => ({ sample: 1 / Math.sqrt(alpha), output: -sigmaOf(alpha) }),
  v_prediction: (alpha) => ({ sample: Math.sqrt(alpha), output: -Math.sqrt(1 - alpha) }),
  sample: () => ({ sample: 0, output: 1 }),
};

/** The noise in that sample: (sample − √ᾱ·x0) / √(1 − ᾱ). */
const noiseIn = (alpha: number, x0: Affine): Affine =>
  times(1 / Math.sqrt(1 - alpha), plus(theSample, times(-Math.sqrt(alpha), x0)));

/**
 * One step from σ, the sample being x0 + σ·noise as k-diffusion and Euler's schedulers keep it.
 * `scale` is what the noise is multiplied by at the start, σ unless the host adds something.
 */
export function sigmaStep(given: {
  sigma: number;
  timestep: number;
  predictionType: PredictionType;
  scale?: number;
  /** Where the step ends; all the way unless given. */
  finalSigma?: number;
}): OneStep {
  const { sigma, timestep, predictionType, scale = sigma, finalSigma = 0 } = given;
  const alpha = 1 / (sigma ** 2 + 1);
  const inputScale = Math.sqrt(alpha); // brings x0 + σ·noise to variance 1
  const { sample, output } = pictures[predictionType](alpha);
  const rest = finalSigma / sigma; // Euler: x0 + (sample − x0)·σ′/σ
  return {
    scale,
    inputScale,
    timestep,
    skip: (1 - rest) * sample * inputScale + rest,
    out: (1 - rest) * output,
  };
}

/** The step that a scheduler makes when it is asked for one. */
export function oneStep(config: SchedulerConfig): OneStep {
  const alphas = alphasCumprod(config);
  const make = schedulers[config.kind];
  if (!make) {
    throw new WeightError(
      `The scheduler is ${JSON.stringify(config.kind)}, whose single step Renoir does not know; known are ${Object.keys(schedulers).join(", ")}.`,
      {
        hint: 'Say which to use instead: the option scheduler, as in { scheduler: { kind: "EulerDiscreteScheduler" } }.',
      },
    );
  }
  const step = make(config, alphas);
  if (Object.values(step).every(Number.isFinite)) return step;
  throw new WeightError(
    `The scheduler ${config.kind} has no finite first step: at its timestep ${step.timestep} there is only noise, and the model predicts ${config.predictionType ?? "epsilon"}.`,
    { hint: "A model with zero terminal SNR must predict v: set prediction_type to v_prediction if it does." },
  );
}

type Make = (config: SchedulerConfig, alphas: readonly number[]) => OneStep;

const euler: Make = (config, alphas) => {
  const { spacing = "linspace", predictionType = "epsilon", finalSigma } = config;
  const timestep = config.timestep ?? firstTimestep(config, "linspace", alphas.length);
  const sigma = sigmaOf(alphas[timestep]!);
  return sigmaStep({
    sigma,
    timestep,
    predictionType,
    scale: spacing === "leading" ? Math.sqrt(sigma ** 2 + 1) : sigma,
    finalSigma: finalSigma === "sigma_min" ? sigmaOf(alphas[0]!) : 0,
  });
};

/** DDIM (Song et al. 2021, equation 12) from t to before the first step; PNDM's first step is the same. */
const ddim =
  (alphaToOne: boolean): Make =>
  (config, alphas) => {
    const timestep = config.timestep ?? firstTimestep(config, "leading", alphas.length);
    const alpha = alphas[timestep]!;
    const end = (config.setAlphaToOne ?? alphaToOne) ? 1 : alphas[0]!;
    const x0 = pictures[config.predictionType ?? "epsilon"](alpha);
    return variancePreserving(timestep, plus(times(Math.sqrt(end), x0), times(Math.sqrt(1 - end), noiseIn(alpha, x0))));
  };

/** Consistency models' boundary (Luo et al. 2023, appendix; diffusers' LCMScheduler), with a data deviation of 0.5. */
const lcm: Make = (config, alphas) => {
  const { originalSteps = 50, timestepScaling = 10 } = config;
  const timestep = config.timestep ?? originalSteps * Math.floor(alphas.length / originalSteps) - 1;
  const [data, time] = [0.5 ** 2, (timestep * timestepScaling) ** 2];
  const x0 = pictures[config.predictionType ?? "epsilon"](alphas[timestep]!);
  const boundary = plus(times(Math.sqrt(time / (time + data)), x0), times(data / (time + data), theSample));
  return variancePreserving(timestep, boundary);
};

/** DPM-Solver++ (Lu et al. 2022), whose first step is of first order. */
const dpmSolver: Make = (config, alphas) => {
  const timestep = config.timestep ?? firstTimestep(config, "linspace", alphas.length);
  const alpha = alphas[timestep]!;
  const x0 = pictures[config.predictionType ?? "epsilon"](alpha);
  const end = config.finalSigma === "sigma_min" ? alphas[0]! : 1;
  const rest = Math.sqrt((1 - end) / (1 - alpha));
  const kept = Math.sqrt(end) - rest * Math.sqrt(alpha);
  return variancePreserving(timestep, plus(times(rest, theSample), times(kept, x0)));
};

const variancePreserving = (timestep: number, { sample, output }: Affine): OneStep => ({
  scale: 1,
  inputScale: 1,
  timestep,
  skip: sample,
  out: output,
});

const schedulers: Readonly<Record<string, Make>> = {
  EulerDiscreteScheduler: euler,
  EulerAncestralDiscreteScheduler: euler, // to σ = 0 no noise is added
  DDIMScheduler: ddim(true),
  PNDMScheduler: ddim(false),
  LCMScheduler: lcm,
  DPMSolverMultistepScheduler: dpmSolver,
};

/** Which of the training's steps the only step starts from (Lin et al. 2023, table 2). Leading and linspace begin at the wrong end. */
function firstTimestep(config: SchedulerConfig, usual: "leading" | "linspace", steps: number): number {
  const { spacing = usual, stepsOffset = 0 } = config;
  if (spacing === "trailing") return steps - 1;
  if (config.kind === "DPMSolverMultistepScheduler")
    return spacing === "linspace" ? steps - 1 : Math.floor(steps / 2) + stepsOffset;
  return spacing === "linspace" ? 0 : stepsOffset;
}

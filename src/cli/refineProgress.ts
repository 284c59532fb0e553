// How a refinement goes, on stderr: one line drawn anew at each step on a terminal, a plain line now and then anywhere else.

import type { RefineStep } from "../reno/refine.ts";
import { scoreText } from "./output.ts";
import { duration } from "./progress.ts";
import { sparkline } from "./sparkline.ts";

export interface RefineProgress {
  step(step: RefineStep): void;
  /** A message that stays on the screen. */
  say(text: string): void;
  stop(): void;
}

/** Plain lines at most this often, but for the first and the last step. */
const plainEveryMs = 10_000;

export function refineProgress(total: number, stream: NodeJS.WriteStream = process.stderr): RefineProgress {
  const curve = new Curve(total);
  return stream.isTTY ? liveLine(curve, stream) : plainLines(curve, stream);
}

/** The steps so far, and what a line says of them. */
export class Curve {
  readonly #total: number;
  readonly #steps: Pick<RefineStep, "step" | "rewards" | "loss" | "latentsNorm" | "ms">[] = [];

  constructor(total: number) {
    this.#total = total;
  }

  /** The pixels of a step are not kept. */
  add({ step, rewards, loss, latentsNorm, ms }: RefineStep): void {
    this.#steps.push({ step, rewards, loss, latentsNorm, ms });
  }

  get isLast(): boolean {
    return this.#steps.length >= this.#total;
  }

  /** "step 17 of 50  ImageReward 0.5812 (+0.8912)  norm 127.9  40 s left  ▁▂▃▅▆█" */
  text(): string {
    const { step, latentsNorm } = this.#steps.at(-1)!;
    const curve = sparkline(this.#steps.map(({ loss }) => -loss));
    return [
      `step ${step} of ${this.#total - 1}`,
      this.#rewards(),
      `norm ${latentsNorm.toFixed(1)}`,
      this.#left(),
      curve,
    ]
      .filter(Boolean)
      .join("  ");
  }

  #rewards(): string {
    const [first, now] = [this.#steps[0]!.rewards, this.#steps.at(-1)!.rewards];
    return Object.entries(now)
      .map(([name, reward]) => `${name} ${scoreText(reward)} (${signed(reward - (first[name] ?? reward))})`)
      .join(", ");
  }

  /** The first step also reads the weights, so the time of a step is the others' median. */
  #left(): string {
    const times = this.#steps
      .slice(1)
      .map(({ ms }) => ms)
      .sort((a, b) => a - b);
    const left = this.#total - this.#steps.length;
    if (times.length === 0 || left <= 0) return "";
    return `${duration((left * times[times.length >> 1]!) / 1000)} left`;
  }
}

const signed = (value: number) => `${value < 0 ? "" : "+"}${value.toFixed(4)}`;

function liveLine(curve: Curve, stream: NodeJS.WriteStream): RefineProgress {
  let shown = "";
  const draw = (text: string) => stream.write(`\r\u001b[K${text.slice(0, (stream.columns || 80) - 1)}`);
  return {
    step(step) {
      curve.add(step);
      shown = curve.text();
      draw(shown);
    },
    say(text) {
      stream.write(`\r\u001b[K${text}\n`);
      if (shown) draw(shown);
    },
    stop() {
      if (shown) stream.write("\n");
      shown = "";
    },
  };
}

function plainLines(curve: Curve, stream: NodeJS.WriteStream): RefineProgress {
  let spoken = Number.NEGATIVE_INFINITY;
  let unsaid = false;
  const tell = () => {
    spoken = performance.now();
    unsaid = false;
    stream.write(`${curve.text()}\n`);
  };
  return {
    step(step) {
      curve.add(step);
      unsaid = true;
      if (curve.isLast || performance.now() - spoken >= plainEveryMs) tell();
    },
    say: (text) => void stream.write(`${text}\n`),
    stop() {
      if (unsaid) tell();
    },
  };
}

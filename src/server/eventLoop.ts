// How long the event loop kept others waiting, over the last minute.

import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";

export interface Delay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const resolution = 10; // ms between two looks; what a look is late is the delay
const pieceMs = 5_000;
const pieces = 12;

/** Keeps the last twelve pieces of five seconds; of them the worst counts, so that the page never tells less than was. */
export class EventLoopMeter {
  readonly #histogram: IntervalHistogram;
  readonly #past: Delay[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#histogram = monitorEventLoopDelay({ resolution });
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#turn(), pieceMs);
    this.#timer.unref();
  }

  get(): Delay {
    const all = [...this.#past, delayOf(this.#histogram)];
    const worst = (key: keyof Delay) => Math.max(...all.map((delay) => delay[key]));
    return { p50Ms: worst("p50Ms"), p99Ms: worst("p99Ms"), maxMs: worst("maxMs") };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  #turn(): void {
    this.#past.push(delayOf(this.#histogram));
    if (this.#past.length > pieces) this.#past.shift();
    this.#histogram.reset();
  }
}

function delayOf(histogram: IntervalHistogram): Delay {
  const ms = (nanoseconds: number) =>
    histogram.count === 0 ? 0 : Math.max(0, Math.round((nanoseconds / 1e6 - resolution) * 100) / 100);
  return { p50Ms: ms(histogram.percentile(50)), p99Ms: ms(histogram.percentile(99)), maxMs: ms(histogram.max) };
}

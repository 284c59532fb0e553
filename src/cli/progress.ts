// How far a long run is, on stderr: a bar on a terminal, a plain line now and then anywhere else.

import { MultiBar, Presets } from "cli-progress";

export interface Progress {
  /** One more item is done. */
  step(): void;
  /** A message that stays on the screen, above the bar. */
  say(text: string): void;
  stop(): void;
}

/** Plain lines at most this often: a log of a night's run stays readable. */
const plainEveryMs = 10_000;
/** No rate is told of less: items that were all ready at once say nothing of the next. */
const shortestMs = 100;

export function createProgress(total: number, verb: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  const rate = new Rate(total);
  return stream.isTTY ? barProgress(total, verb, rate, stream) : plainProgress(total, verb, rate, stream);
}

/** Items a second since the start, and the time the rest will take at that. The first item's time holds loading too, so it counts from there. */
export class Rate {
  done = 0;
  readonly #total: number;
  #first = 0;
  #last = 0;

  constructor(total: number) {
    this.#total = total;
  }

  step(now = performance.now()): void {
    this.done += 1;
    if (this.done === 1) this.#first = now;
    this.#last = now;
  }

  text(): string {
    const elapsed = this.#last - this.#first;
    if (elapsed < shortestMs) return "";
    const perSecond = ((this.done - 1) / elapsed) * 1000;
    const speed = perSecond >= 1 ? `${perSecond.toFixed(1)} a second` : `${(1 / perSecond).toFixed(1)} s each`;
    const left = this.#total - this.done;
    return left > 0 ? `${speed}, ${duration(left / perSecond)} left` : speed;
  }
}

/** "45 s", "3 min 20 s", "2 h 5 min": two units are all anyone wants. */
export function duration(seconds: number): string {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function barProgress(total: number, verb: string, rate: Rate, stream: NodeJS.WriteStream): Progress {
  const format = `${verb} {bar} {value} of {total}  {rate}`;
  const bars = new MultiBar({ format, stream, hideCursor: true, clearOnComplete: true }, Presets.shades_classic);
  const bar = bars.create(total, 0, { rate: "" });
  return {
    step() {
      rate.step();
      bar.update(rate.done, { rate: rate.text() });
    },
    say: (text) => bars.log(`${text}\n`),
    stop: () => bars.stop(),
  };
}

function plainProgress(total: number, verb: string, rate: Rate, stream: NodeJS.WriteStream): Progress {
  let spoken = performance.now();
  const line = () => {
    const speed = rate.text();
    stream.write(`${verb} ${rate.done} of ${total}${speed && ` (${speed})`}\n`);
  };
  return {
    step() {
      rate.step();
      const now = performance.now();
      if (rate.done < total && now - spoken < plainEveryMs) return;
      spoken = now;
      line();
    },
    say: (text) => void stream.write(`${text}\n`),
    stop() {},
  };
}

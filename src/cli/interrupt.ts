// Stopping: the first Ctrl-C lets the work in hand come to its end, the second stops at once; so does a reader of stdout that has gone.

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Back to the signals' own effects. */
  release(): void;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** 128 + 2: what shells expect of a program ended by SIGINT. */
const interruptedStatus = 130;

export function watchInterrupts(say: (text: string) => void = (text) => process.stderr.write(`${text}\n`)): Interrupt {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(interruptedStatus);
    controller.abort();
    say("Stopping after the pictures in hand. Press Ctrl-C again to stop at once.");
  };
  // `renoir ... | head` closes the pipe: that is no failure of ours, only nobody is listening any more.
  const closed = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    controller.abort();
  };
  for (const signal of signals) process.on(signal, stop);
  process.stdout.on("error", closed);
  return {
    signal: controller.signal,
    release() {
      for (const signal of signals) process.removeListener(signal, stop);
    },
  };
}

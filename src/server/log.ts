// What the server says while it runs: short lines for a person at a terminal, JSON for everything else.
// Never a prompt, a picture's bytes, a token or a query: a log is what people paste into bug reports.

import { type Logger as Pino, pino } from "pino";

export type Logger = Pino;

export interface LogOptions {
  /** Default: unless a person looks on. */
  readonly json?: boolean | undefined;
  readonly level?: string | undefined;
  readonly stream?: { isTTY?: boolean; write(text: string): unknown };
}

export function createLog({ json, level = "info", stream = process.stderr }: LogOptions = {}): Logger {
  const plain = !(json ?? !stream.isTTY);
  const settings = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(settings, { write: (line: string) => void stream.write(plain ? shortLine(line) : line) });
}

/** Nothing at all: for tests, and for who uses the server as a part. */
export const silentLog = (): Logger => pino({ level: "silent" });

const marks: Readonly<Record<number, string>> = { 40: "Warning: ", 50: "Error: ", 60: "Error: " };

/** "12:04:31 Warning: ..." */
function shortLine(line: string): string {
  const { time, level, msg, err } = JSON.parse(line) as {
    time: string;
    level: number;
    msg?: string;
    err?: { message: string };
  };
  const clock = new Date(time).toTimeString().slice(0, 8);
  const reason = err && !msg?.includes(err.message) ? ` ${err.message}` : "";
  return `${clock} ${marks[level] ?? ""}${msg ?? ""}${reason}\n`;
}

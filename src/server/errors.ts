// What goes wrong in a server, and how every failure becomes a reply: the one place that knows HTTP's numbers.

import { RenoirError } from "../errors.ts";
import type { ErrorReply } from "./api/common.ts";

interface Details {
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Ask for something else: no such picture, job, model or route. */
export class NotFoundError extends RenoirError {
  constructor(message: string, options: Details = {}) {
    super("not-found", message, options);
  }
}

/** Ask from elsewhere, or for what lies within the library. */
export class ForbiddenError extends RenoirError {
  constructor(message: string, options: Details = {}) {
    super("forbidden", message, options);
  }
}

/** Say who you are. */
export class UnauthorizedError extends RenoirError {
  constructor(message: string, options: Details = {}) {
    super("unauthorized", message, options);
  }
}

/** Not now: the job has ended already, the folder is there already. */
export class ConflictError extends RenoirError {
  constructor(message: string, options: Details = {}) {
    super("conflict", message, options);
  }
}

/** Send less. */
export class TooLargeError extends RenoirError {
  constructor(message: string, options: Details = {}) {
    super("too-large", message, options);
  }
}

/** Send it in another form. */
export class MediaTypeError extends RenoirError {
  constructor(message: string, options: Details = {}) {
    super("media-type", message, options);
  }
}

/** Ask again after a moment. */
export class BusyError extends RenoirError {
  readonly retryAfterSeconds: number;

  constructor(message: string, options: Details & { retryAfterSeconds?: number } = {}) {
    super("busy", message, options);
    this.retryAfterSeconds = options.retryAfterSeconds ?? 1;
  }
}

/** Fix the server: what nobody foresaw. Its reason is in the log, not in the reply. */
class UnforeseenError extends RenoirError {
  constructor(cause: unknown) {
    const hint = "The server's log says more. If it happens again, report it with that line.";
    super("internal", "The server failed in a way it did not foresee.", { hint, cause });
  }
}

/** By `code`, which outlives the way from the engine's process to here; a class does not. */
const statuses: Readonly<Record<string, number>> = {
  request: 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  "too-large": 413,
  "media-type": 415,
  image: 422,
  metadata: 422,
  weights: 422,
  busy: 429,
  system: 503,
};

/** Any failure as one of ours. */
export function toRenoirError(error: unknown): RenoirError {
  return error instanceof RenoirError ? error : (fromExpress(error) ?? new UnforeseenError(error));
}

export const statusOf = (error: RenoirError): number => statuses[error.code] ?? 500;

export const replyOf = ({ code, message, hint }: RenoirError): ErrorReply => ({
  error: { code, message, ...(hint === undefined ? {} : { hint }) },
});

/** Express tells of paths that are no UTF-8 and of files that went between two looks by `status`. */
function fromExpress(error: unknown): RenoirError | undefined {
  const { status, code } = (error ?? {}) as { status?: number; code?: string };
  if (status === 404 || code === "ENOENT")
    return new NotFoundError("There is no such file any more.", { cause: error });
  if (status === 403) return new ForbiddenError("The path leads out of what may be read.", { cause: error });
  if (status === 400) return new UnreadableRequest(error);
  if (status === 413) return new TooLargeError("The request is larger than is taken.", { cause: error });
  return undefined;
}

class UnreadableRequest extends RenoirError {
  constructor(cause: unknown) {
    super("request", `The request can not be read: ${(cause as Error).message}.`, { cause });
  }
}

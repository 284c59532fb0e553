// The errors people can meet, one class for each way to recover. A message says where, what was found, what was wanted and what to try.

/** Base of all of them: `code` is stable and machine readable, `hint` is what to try. */
export class RenoirError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
  }
}

/** Fix our code: shapes or dtypes that do not fit each other. */
export class ShapeError extends RenoirError {
  constructor(message: string) {
    super("shape", message);
  }
}

/** Fix the checkpoint: unreadable, damaged, malicious, or not of the wanted architecture. */
export class WeightError extends RenoirError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super("weights", message, options);
  }
}

/** Fix the picture: not an image, damaged, too large. */
export class ImageError extends RenoirError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super("image", message, options);
  }
}

/** The file's metadata can not be read or must not be rewritten. */
export class MetadataError extends RenoirError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super("metadata", message, options);
  }
}

/** Fix the request: unknown reward, thresholds that are no numbers, missing prompt. */
export class RequestError extends RenoirError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super("request", message, options);
  }
}

/** Fix the machine: disk full, read-only folder, no such provider. */
export class SystemError extends RenoirError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super("system", message, options);
  }
}

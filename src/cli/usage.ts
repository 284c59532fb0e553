// How a command that failed as a whole says so: its message, and its exit status.

import { RenoirError, RequestError } from "../errors.ts";
import { errorBody, errorText } from "./output.ts";

/** 2: the command was used wrongly. 1: it could not be done. */
export const exitStatus = (error: unknown): 1 | 2 => (error instanceof RequestError || isUnknownFlag(error) ? 2 : 1);

const isUnknownFlag = (error: unknown) => String((error as NodeJS.ErrnoException)?.code).startsWith("ERR_PARSE_ARGS");

export function messageOf(error: unknown): string {
  if (error instanceof RenoirError) return errorText(errorBody(error));
  const message = error instanceof Error ? error.message : String(error);
  if (isUnknownFlag(error)) return message;
  const details = process.env.RENOIR_DEBUG && error instanceof Error ? `\n${error.stack}` : "";
  return `Renoir failed in a way it did not foresee: ${message}${details}`;
}

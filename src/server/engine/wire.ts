// Failures on their way from one process to the other.

import { RenoirError } from "../../errors.ts";
import type { WireError } from "./messages.ts";

/** Sentences that speak of the command line's flags, for who has fields before them: "a smaller --size" is a smaller size. */
export const withoutFlags = (sentence: string): string =>
  sentence.replace(/(?<![\w-])--(?=[a-z])/g, "").replace(/\blr\b/g, "learning rate");

export function toWire(error: unknown): WireError {
  if (error instanceof RenoirError) {
    const { code, message, hint } = error;
    return { code, message: withoutFlags(message), ...(hint !== undefined && { hint: withoutFlags(hint) }) };
  }
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}

export const fromWire = ({ code, message, hint }: WireError): RenoirError =>
  new RenoirError(code, message, { ...(hint !== undefined && { hint }) });

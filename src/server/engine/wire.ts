// Failures on their way from one process to the other.

import { RenoirError } from "../../errors.ts";
import type { WireError } from "./messages.ts";

export function toWire(error: unknown): WireError {
  if (error instanceof RenoirError) {
    const { code, message, hint } = error;
    return { code, message, ...(hint !== undefined && { hint }) };
  }
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}

export const fromWire = ({ code, message, hint }: WireError): RenoirError =>
  new RenoirError(code, message, { ...(hint !== undefined && { hint }) });

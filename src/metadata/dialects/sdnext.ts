// SD.Next: infotext with "App: SD.Next", in `parameters` or UserComment; its names differ from A1111's in a few places.
import { a1111 } from "./a1111.ts";
import type { Dialect } from "./dialect.ts";

/** SD.Next's name (processing_info.py at 431bcc36), A1111's name. */
const NAMES: readonly (readonly [string, string])[] = [
  ["Variation strength", "Variation seed strength"],
  ["Sampler sigma", "Schedule type"],
];

export const sdnext: Dialect = (texts) => {
  const reading = a1111(texts);
  if (reading?.host !== "sdnext") return null;
  for (const [own, name] of NAMES) {
    const value = reading.settings.get(own);
    if (value !== undefined && !reading.settings.has(name)) reading.settings.set(name, value);
  }
  return reading;
};

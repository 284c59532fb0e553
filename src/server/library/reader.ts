// A process that reads picture files, so that a large or hostile one neither holds up the server nor ends it: paths in, facts or failures out.

import { readFacts } from "./facts.ts";
import type { Reading } from "./readers.ts";

process.on("message", async (paths: readonly string[]) => {
  const readings = await Promise.all(paths.map(reading));
  if (process.connected) process.send!(readings);
});

// Ctrl-C in a terminal reaches every process of the group; the server decides when this one ends.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());

async function reading(path: string): Promise<Reading> {
  try {
    return { facts: await readFacts(path) };
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    return { failure: { code, message } };
  }
}

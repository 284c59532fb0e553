// A process with jobs, to be killed: it goes on with what is there, or begins a refine, and tells each step as a line.

import { EventEmitter } from "node:events";
import { join } from "node:path";
import { refineRequest } from "../../src/server/api/jobs.ts";
import { openDatabase } from "../../src/server/database.ts";
import { Engine } from "../../src/server/engine/engine.ts";
import { Jobs } from "../../src/server/jobs/jobs.ts";
import type { JobLibrary } from "../../src/server/jobs/work.ts";
import { silentLog } from "../../src/server/log.ts";
import { SettingsStore } from "../../src/server/settings.ts";

const [home, prompt, iterations] = process.argv.slice(2) as [string, string, string];
const database = openDatabase(join(home, "library.db"));
const settings = await SettingsStore.open(home);
await settings.change({ provider: "cpu", scoreNew: false });
const engine = new Engine({ home, settings, threads: 1 });
const library = Object.assign(new EventEmitter(), { wanting: () => [] }) as unknown as JobLibrary;
const jobs = new Jobs({ home, database, engine, library, settings, log: silentLog() });
const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`);
jobs.on("step", ({ step, loss }) => say({ step, loss, engine: engine.pid }));
jobs.on("failed", (job) => say({ failed: job.error }));
jobs.on("done", async (job) => {
  say({ done: job.id });
  await jobs.close();
  await engine.close();
  database.close();
});
if (jobs.list().length > 0) jobs.resume();
else await jobs.start("refine", refineRequest.parse({ prompt, model: "shapes", iterations: Number(iterations) }));

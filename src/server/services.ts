// What the routes and sockets work with. They own nothing themselves.

import type { Engine } from "./engine/engine.ts";
import type { Fairness } from "./fairness.ts";
import type { Jobs } from "./jobs/jobs.ts";
import type { Library } from "./library/library.ts";
import type { Readers } from "./library/readers.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { ModelReports } from "./modelReports.ts";
import type { Policy } from "./security.ts";
import type { SettingsStore } from "./settings.ts";

export interface Services {
  readonly library: Library;
  readonly jobs: Jobs;
  readonly engine: Engine;
  readonly settings: SettingsStore;
  readonly models: ModelReports;
  readonly readers: Readers;
  readonly metrics: Metrics;
  readonly fairness: Fairness;
  readonly home: string;
  readonly version: string;
  readonly policy: Policy;
  /** The WebUI behind the gateway, as it is now. */
  readonly upstream: () => URL | undefined;
  readonly log: Logger;
}

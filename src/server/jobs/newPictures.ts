// Pictures that appear in the library are scored unasked: many that arrive together by one job, which goes on while more come.

import { parseRewardNames } from "../../scoring/rewardName.ts";
import type { Settings } from "../api/system.ts";
import type { JobLibrary, JobServices } from "./work.ts";

/** A folder that is copied in arrives picture by picture. */
const gatherMs = 500;

export interface Scoring {
  /** Whether the job waits or is at work: it finds what comes by itself. */
  isThere(): boolean;
  begin(): void;
}

export class NewPictures {
  readonly #services: Pick<JobServices, "library" | "settings" | "passedOver">;
  readonly #scoring: Scoring;
  #timer: NodeJS.Timeout | undefined;

  constructor(services: Pick<JobServices, "library" | "settings" | "passedOver">, scoring: Scoring) {
    this.#services = services;
    this.#scoring = scoring;
    services.library.on("changed", this.#onChange);
  }

  /** Soon. */
  look(): void {
    this.#timer ??= setTimeout(() => this.#lookNow(), gatherMs).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#services.library.off("changed", this.#onChange);
  }

  readonly #onChange = ({ added }: { added: number }): void => {
    if (added > 0) this.look();
  };

  #lookNow(): void {
    this.#timer = undefined;
    const { library, settings, passedOver } = this.#services;
    if (!settings.get().scoreNew || this.#scoring.isThere()) return;
    if (unscored(library, settings.get()).some((id) => !passedOver.has(id))) this.#scoring.begin();
  }
}

export const unscored = (library: JobLibrary, { rewards }: Pick<Settings, "rewards">): string[] =>
  library.wanting(
    parseRewardNames(rewards).map(({ name }) => name),
    {},
  );

// Pictures that appear in the library are scored unasked: many that arrive together by one job, which goes on while more come.

import { parseRewardNames } from "../../scoring/rewardName.ts";
import type { Settings } from "../api/system.ts";
import type { JobLibrary, JobServices } from "./work.ts";

/** A folder that is copied in arrives picture by picture. */
const gatherMs = 500;

export class NewPictures {
  readonly #services: Pick<JobServices, "library" | "settings" | "passedOver">;
  readonly #begin: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** `begin` starts the job unless it is at work or waits already. */
  constructor(services: Pick<JobServices, "library" | "settings" | "passedOver">, begin: () => void) {
    this.#services = services;
    this.#begin = begin;
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
    if (settings.get().scoreNew && unscored(library, settings.get()).some((id) => !passedOver.has(id))) this.#begin();
  }
}

export const unscored = (library: JobLibrary, { rewards }: Pick<Settings, "rewards">): string[] =>
  library.wanting(
    parseRewardNames(rewards).map(({ name }) => name),
    {},
  );

// A checkpoint fetched from where it is published. What has arrived stays, however the job ends.

import { pullModel } from "../../tasks/models.ts";
import type { Kind } from "./work.ts";

export const pullJob: Kind = async ({ job, services, signal, progress, note }) => {
  const { name } = job.request as { name: string };
  const report = await pullModel(name, {
    home: services.home,
    signal,
    onProgress: ({ received, total, rate, secondsLeft }) =>
      progress({ done: received, total, unit: "bytes", message: paceOf(rate, secondsLeft) }),
  });
  note(`${report.name} lies at ${report.path}.`);
  await services.settings.refresh?.();
  services.engine.emit("models");
  return { result: null };
};

function paceOf(rate: number, secondsLeft: number): string {
  const pace = `${(rate / 1e6).toFixed(1)} MB a second`;
  if (!Number.isFinite(secondsLeft)) return pace;
  const left = secondsLeft < 90 ? `${Math.ceil(secondsLeft)} seconds` : `${Math.round(secondsLeft / 60)} minutes`;
  return `${pace}, ${left} left`;
}

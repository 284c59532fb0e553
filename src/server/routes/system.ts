// The server itself: how it is, what lies near it, what was chosen.

import { findHosts } from "../../tasks/nearbyHosts.ts";
import type { Health } from "../api/system.ts";
import type { Handler } from "../handler.ts";
import type { Services } from "../services.ts";

/** GET /health */
export const health: Handler<"health"> = (services) => () => healthOf(services);

export function healthOf({ engine, jobs, metrics, version }: Services): Health {
  const state = engine.state();
  const states = jobs.list().map((job) => job.state);
  return {
    status: "ok",
    version,
    uptimeSeconds: Math.round(process.uptime()),
    provider: state.provider,
    engine: state,
    models: [...new Set(engine.loaded().map(({ name }) => name))],
    queue: {
      queued: states.filter((state) => state === "queued").length,
      running: states.filter((state) => state === "running").length,
    },
    eventLoop: metrics.eventLoop.get(),
  };
}

/** GET /hosts */
export const hosts: Handler<"hosts"> =
  ({ library }) =>
  async () => {
    const folders = new Set(library.folders().map(({ path }) => path));
    const found = await findHosts();
    return { items: found.map((host) => ({ ...host, inLibrary: folders.has(host.pictures) })) };
  };

/** GET /settings */
export const settings: Handler<"settings"> =
  ({ settings }) =>
  () =>
    settings.get();

/** PATCH /settings */
export const changeSettings: Handler<"changeSettings"> =
  ({ settings }) =>
  ({ body }) =>
    settings.change(body);

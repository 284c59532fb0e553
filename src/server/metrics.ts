// Figures for Prometheus, at /metrics.

import type { RequestHandler } from "express";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { jobStates } from "./api/jobs.ts";
import { EventLoopMeter } from "./eventLoop.ts";
import type { Services } from "./services.ts";

export class Metrics {
  readonly registry = new Registry();
  readonly eventLoop = new EventLoopMeter();
  readonly #requests = new Counter({
    name: "renoir_http_requests_total",
    help: "Requests answered",
    labelNames: ["method", "route", "status"],
    registers: [this.registry],
  });
  readonly #durations = new Histogram({
    name: "renoir_http_request_duration_seconds",
    help: "From a request's first line to the end of its answer",
    labelNames: ["method", "route"],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 1, 5, 30],
    registers: [this.registry],
  });

  answered(labels: { method: string; route: string; status: number }, seconds: number): void {
    this.#requests.inc(labels);
    this.#durations.observe({ method: labels.method, route: labels.route }, seconds);
  }

  /** What is asked of the parts when somebody looks. */
  watch({ jobs, engine, library }: Pick<Services, "jobs" | "engine" | "library">): void {
    this.#jobs(jobs);
    this.#gauge("renoir_library_pictures", "Pictures in the library", () => library.facets().total);
    this.#gauge("renoir_engine_resident_bytes", "Memory of the models' process", () => engine.state().residentBytes);
    this.#gauge("renoir_models_loaded", "Models in memory", () => engine.loaded().length);
    this.#gauge("renoir_resident_bytes", "Memory of the server's process", () => process.memoryUsage.rss());
    this.#gauge("renoir_event_loop_delay_p99_seconds", "Of the last minute", () => this.eventLoop.get().p99Ms / 1000);
    this.#gauge("renoir_event_loop_delay_max_seconds", "Of the last minute", () => this.eventLoop.get().maxMs / 1000);
  }

  #gauge(name: string, help: string, value: () => number): void {
    const registers = [this.registry];
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  }

  #jobs(jobs: Services["jobs"]): void {
    new Gauge({
      name: "renoir_jobs",
      help: "Jobs by kind and state",
      labelNames: ["kind", "state"],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const state of jobStates) this.set({ kind: "refine", state }, 0);
        for (const { kind, state } of jobs.list()) this.inc({ kind, state });
      },
    });
  }

  close(): void {
    this.eventLoop.close();
    this.registry.clear();
  }
}

export const metrics =
  ({ metrics: { registry } }: Services): RequestHandler =>
  async (_request, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  };

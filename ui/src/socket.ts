// One socket for the whole page, and hooks on it.

import { useCallback, useEffect, useEffectEvent, useState, useSyncExternalStore } from "react";
import { io, type Socket } from "socket.io-client";
import type { ClientEvents, LiveStep, ServerEvents } from "../../src/server/api/events.ts";
import type { Job, JobProgress, JobStep } from "../../src/server/api/jobs.ts";

export const socket: Socket<ServerEvents, ClientEvents> = io();

/** Calls the newest `handler` for each event of that name, as long as the component is there. */
export function useServerEvent<Name extends keyof ServerEvents>(name: Name, handler: ServerEvents[Name]): void {
  const latest = useEffectEvent((...given: Parameters<ServerEvents[Name]>) =>
    (handler as (...given: Parameters<ServerEvents[Name]>) => void)(...given),
  );
  useEffect(() => {
    const listener = (...given: Parameters<ServerEvents[Name]>) => latest(...given);
    socket.on(name, listener as never);
    return () => void socket.off(name, listener as never);
  }, [name]);
}

export function useConnected(): boolean {
  const subscribe = useCallback((changed: () => void) => {
    socket.on("connect", changed);
    socket.on("disconnect", changed);
    return () => {
      socket.off("connect", changed);
      socket.off("disconnect", changed);
    };
  }, []);
  return useSyncExternalStore(subscribe, () => socket.connected);
}

export interface FollowedJob {
  /** With every step so far; undefined until the server has answered. */
  readonly job: Job | undefined;
  /** The newest step's picture as the socket brought it: an object URL. Older ones lie at each step's `preview`. */
  readonly live: string | undefined;
  readonly error: { code: string; message: string } | undefined;
}

const discarded = { code: "not-found", message: "It was discarded." };
const nothing: FollowedJob = { job: undefined, live: undefined, error: undefined };

/** Joins a job's room, again after each reconnection, and follows it. No id: nothing is followed. */
export function useJob(id: string | undefined): FollowedJob {
  const [followed, setFollowed] = useState(nothing);
  const change = (of: string, update: (job: Job) => Job) => {
    if (of === id) setFollowed((now) => (now.job ? { ...now, job: update(now.job) } : now));
  };
  const whole = (job: Job) => {
    if (job.id === id) setFollowed((now) => ({ ...now, job, error: undefined }));
  };

  useEffect(() => {
    setFollowed(nothing);
    if (id === undefined) return;
    const join = () =>
      socket.emit("job:join", id, (reply) => {
        if (reply && "error" in reply) setFollowed({ ...nothing, error: reply.error });
      });
    if (socket.connected) join();
    socket.on("connect", join);
    return () => {
      socket.off("connect", join);
      socket.emit("job:leave", id);
    };
  }, [id]);

  useServerEvent("jobs:discarded", ({ id: of }) => {
    if (of === id) setFollowed({ ...nothing, error: discarded });
  });
  useServerEvent("job:steps", whole);
  useServerEvent("job:done", whole);
  useServerEvent("job:failed", whole);
  useServerEvent("job:cancelled", whole);
  useServerEvent("job:progress", ({ id: of, ...progress }: JobProgress & { id: string }) =>
    change(of, (job) => ({ ...job, progress })),
  );
  useServerEvent("job:note", ({ id: of, note }) => change(of, (job) => ({ ...job, notes: [...job.notes, note] })));
  useServerEvent("job:step", ({ id: of, image, ...step }: LiveStep) => {
    change(of, (job) => ({ ...job, state: "running", steps: withStep(job.steps, step) }));
    if (of !== id || !image) return;
    const live = URL.createObjectURL(jpeg(image));
    setFollowed((now) => ({ ...now, live }));
  });

  const { live } = followed;
  useEffect(() => () => (live ? URL.revokeObjectURL(live) : undefined), [live]);

  return followed;
}

/** A step that is there already is replaced: after a reconnection the same one may come twice. */
const withStep = (steps: readonly JobStep[], step: JobStep) => [
  ...steps.filter(({ step: number }) => number !== step.step),
  step,
];

const jpeg = (bytes: ArrayBuffer | Uint8Array) => new Blob([bytes as BlobPart], { type: "image/jpeg" });

// A server from its parts: opened in order, closed in the other.

import type { Server as HttpServer } from "node:http";
import { join } from "node:path";
import type { Server as SocketServer } from "socket.io";
import { renoirHome } from "../scoring/store.ts";
import { version } from "../tasks/version.ts";
import { createApp } from "./app.ts";
import { openDatabase } from "./database.ts";
import { Engine } from "./engine/engine.ts";
import { Fairness, type Limits } from "./fairness.ts";
import { passUpgrades } from "./gateway/gateway.ts";
import { parseUpstream } from "./gateway/upstream.ts";
import { holdHome, tellAddress } from "./homeLock.ts";
import { Jobs } from "./jobs/jobs.ts";
import { Library } from "./library/library.ts";
import { Readers } from "./library/readers.ts";
import { createHttpServer, listen, type Timeouts, urlOf } from "./listen.ts";
import { type Logger, silentLog } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { ModelReports } from "./modelReports.ts";
import { checkPolicy, parseOrigin } from "./security.ts";
import type { Services } from "./services.ts";
import { SettingsStore } from "./settings.ts";
import { createSockets } from "./sockets.ts";
import { clearUploads } from "./uploads.ts";

export interface StartOptions {
  /** 0: any that is free. */
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly token?: string | undefined;
  /** The data folder. */
  readonly home?: string | undefined;
  /** Put into the library if they are not in it. */
  readonly folders?: readonly string[] | undefined;
  /** Pages of other servers that may ask this one. */
  readonly allowOrigins?: readonly string[] | undefined;
  /** The WebUI behind the gateway; the settings' one unless given. */
  readonly upstream?: string | undefined;
  readonly log?: Logger | undefined;
  readonly limits?: Limits | undefined;
  readonly timeouts?: Timeouts | undefined;
  /** Where the pictures lie that a first start fills the library with; null for none. */
  readonly demo?: string | null | undefined;
}

export interface RunningServer {
  readonly url: string;
  readonly services: Services;
  /** Saves what is in hand and ends; asking again waits for the same end. */
  close(): Promise<void>;
}

export const usualPort = 7861;
const usualHost = "127.0.0.1";
/** After so long, closing leaves behind what does not end: everything that matters is on the disk by then. */
const closingMs = 4500;
/** Of these, for requests that are being answered. */
const answeringMs = 1000;

export async function startServer(options: StartOptions = {}): Promise<RunningServer> {
  const { port = usualPort, host = usualHost, token, home = renoirHome(), log = silentLog() } = options;
  const origins = (options.allowOrigins ?? []).map(parseOrigin);
  checkPolicy({ host, token });
  const given = options.upstream === undefined ? undefined : parseUpstream(options.upstream);
  const closers: Closer[] = [];
  try {
    closers.push(await holdHome(home));
    const opened = await openParts(options, home, log, closers);
    const server = createHttpServer(options.timeouts);
    closers.push(() => stopListening(server)); // also where what follows fails: a port that nobody answers on stays taken
    const bound = await listen(server, host, port);
    const upstream = () => given ?? upstreamOf(opened.settings);
    const services: Services = { ...opened, policy: { host, origins, token, port: bound }, upstream };
    server.on("request", createApp(services));
    const io = createSockets(server, services);
    const endUpgrades = passUpgrades(server, services);
    closers.push(() => closeServer(server, io));
    closers.push(endUpgrades);
    const url = urlOf(host, bound);
    await tellAddress(home, url);
    tellJobs(services);
    services.jobs.resume();
    services.library.watch();
    const close = once(() => closeAll(closers, log));
    return { url, services, close };
  } catch (error) {
    await closeAll(closers, log);
    throw error;
  }
}

function upstreamOf(settings: SettingsStore): URL | undefined {
  const { upstream } = settings.get();
  return upstream === null ? undefined : new URL(upstream);
}

type Closer = () => unknown;

/** Each with what it takes to close it again. */
async function openParts(options: StartOptions, home: string, log: Logger, closers: Closer[]) {
  await clearUploads(home);
  const database = openDatabase(join(home, "renoir.db"), { warn: (message) => log.warn(message) });
  closers.push(() => database.close());
  const settings = await SettingsStore.open(home, log);
  const readers = new Readers();
  closers.push(() => readers.close());
  const library = await Library.open({ home, database, settings, log, readers, demo: options.demo });
  closers.push(() => library.close());
  for (const folder of options.folders ?? []) await addFolder(library, folder);
  const engine = new Engine({ home, settings, log });
  closers.push(() => engine.close());
  const jobs = new Jobs({ home, database, engine, library, settings, log });
  closers.push(() => jobs.close());
  const metrics = new Metrics();
  closers.push(() => metrics.close());
  metrics.watch({ jobs, engine, library });
  const fairness = new Fairness(options.limits);
  const models = new ModelReports(home);
  return { home, version: version(), log, settings, readers, library, engine, jobs, metrics, fairness, models };
}

/** One that lies within another is in the library already. */
async function addFolder(library: Library, folder: string): Promise<void> {
  const isIn = await library.within(folder).then(
    () => true,
    () => false,
  );
  if (!isIn) await library.addFolder(folder);
}

/** In the log by kind and id: a job's title is its prompt. */
function tellJobs({ jobs, log }: Services): void {
  const known = new Map<string, string>();
  jobs.on("changed", ({ id, kind, state, error }) => {
    if (known.get(id) === state) return;
    known.set(id, state);
    if (state === "failed") log.warn({ id, kind }, `${kind} ${id} failed: ${error?.message ?? ""}`);
    else log.info({ id, kind, state }, `${kind} ${id}: ${state}`);
    if (state !== "queued" && state !== "running") known.delete(id);
  });
}

/** No new connections; those that wait for nothing end at once, the others when they are answered or the time is up. */
async function closeServer(server: HttpServer, io: SocketServer): Promise<void> {
  const closed = io.close(); // and with it the server
  server.closeIdleConnections();
  const impatient = setTimeout(() => server.closeAllConnections(), answeringMs);
  await closed;
  clearTimeout(impatient);
}

function stopListening(server: HttpServer): void {
  server.close();
  server.closeAllConnections();
}

/** The latest first: nobody is left without what it works with. */
async function closeAll(closers: Closer[], log: Logger): Promise<void> {
  const all = async () => {
    for (const close of closers.splice(0).reverse()) {
      await Promise.resolve(close()).catch((error) => log.error({ err: error }, "Something did not end as it should."));
    }
  };
  await Promise.race([all(), new Promise((resolve) => setTimeout(resolve, closingMs).unref())]);
}

function once<T>(work: () => T): () => T {
  let result: { value: T } | undefined;
  return () => {
    result ??= { value: work() };
    return result.value;
  };
}

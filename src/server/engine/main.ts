// The models' process. It does what it is told, a piece at a time; who works next is decided by the server.

import { writeFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { listProviders } from "../../graph/index.ts";
import { generateWork } from "./generateWork.ts";
import type { Hands } from "./hands.ts";
import type { FromProcess, ToProcess, Work } from "./messages.ts";
import { Models } from "./models.ts";
import { redrawWork, refineWork } from "./refineWork.ts";
import { scoreWork } from "./scoreWork.ts";
import { toWire, withoutFlags } from "./wire.ts";

let idleMs = Number.POSITIVE_INFINITY;
const models = new Models({ idleMs: () => idleMs, onChange: () => tellModels() });

const send = (message: FromProcess): void => {
  if (process.connected) process.send!(message);
};

const tellModels = () => send({ type: "models", models: models.loaded(), residentBytes: process.memoryUsage.rss() });

// ---- works in hand

interface InHand {
  readonly controller: AbortController;
  /** Lets it go on. */
  go?: () => void;
}

const inHand = new Map<number, InHand>();

const begin: { [K in Work["kind"]]: (work: Extract<Work, { kind: K }>, hands: Hands) => Promise<unknown> } = {
  score: (work) => scoreWork(work, models),
  refine: refineWork,
  redraw: redrawWork,
  generate: generateWork,
  load: ({ name, of, computing }) => models.load(name, of, computing),
  unload: ({ name, of }) => models.unload(name, of),
};

async function work(id: number, work: Work): Promise<void> {
  const mine: InHand = { controller: new AbortController() };
  inHand.set(id, mine);
  const hands: Hands = {
    models,
    signal: mine.controller.signal,
    say: (note) => send({ type: "note", id, note: withoutFlags(note) }),
    handOver(value) {
      measured();
      return new Promise((resolve) => {
        mine.go = resolve;
        send({ type: "piece", id, value });
      });
    },
  };
  try {
    const value = await (begin[work.kind] as (work: Work, hands: Hands) => Promise<unknown>)(work, hands);
    measured();
    send({ type: "done", id, value });
  } catch (error) {
    send({ type: "failed", id, error: toWire(error) });
  } finally {
    inHand.delete(id);
  }
}

function measured(): void {
  models.measure();
  tellModels();
}

// ---- what it is told

const answers: { [T in ToProcess["type"]]: (message: Extract<ToProcess, { type: T }>) => void } = {
  do: (message) => void work(message.id, message.work),
  go: ({ id }) => inHand.get(id)?.go?.(),
  abort: ({ id }) => inHand.get(id)?.controller.abort(),
  idle({ ms }) {
    idleMs = ms;
  },
};

process.on("message", (message: ToProcess) => (answers[message.type] as (message: ToProcess) => void)(message));
process.on("disconnect", () => process.exit()); // the server has gone: nobody is there to work for
process.on("SIGINT", () => {}); // a terminal's Ctrl-C is for the server, which says what is to be done

setPriority(5); // the server, which only answers, goes before it
// Where memory runs out the system shall end this process rather than the server (Linux; any user may raise it).
await writeFile("/proc/self/oom_score_adj", "600").catch(() => {});
send({ type: "ready", provider: (await listProviders())[0] ?? "cpu" });

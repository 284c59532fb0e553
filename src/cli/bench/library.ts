// The library's figures: how fast it looks through a folder, answers, and changes files, and how long it holds up the event loop.

import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeLibraryPictures } from "./libraryPictures.ts";
import type { LibraryResult, LibraryTask, Times } from "./libraryWorker.ts";
import type { Row } from "./table.ts";

export interface LibraryBench {
  /** Where the pictures and the library's own data are made. */
  readonly folder: string;
  readonly count: number;
  readonly rounds: number;
  readonly say: (text: string) => void;
}

export async function measureLibrary({ folder, count, rounds, say }: LibraryBench): Promise<LibraryResult> {
  const pictures = join(folder, `library-${count}`);
  const home = join(folder, "library-home");
  say(`making ${count} small pictures in ${pictures}, once`);
  await makeLibraryPictures(pictures, count);
  say("measuring: scanning, asking, changing");
  const task: LibraryTask = { home, pictures, rounds };
  const worker = fileURLToPath(new URL("./libraryWorker.js", import.meta.url));
  const options = { maxBuffer: 2 ** 24 };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", worker, JSON.stringify(task)],
    options,
  );
  await rm(home, { recursive: true, force: true });
  return JSON.parse(stdout) as LibraryResult;
}

const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
const ms = (value: number) => value.toFixed(1);
const spread = ({ p50, p95, max, processor }: Times) =>
  `${ms(p50)}, ${ms(p95)}, ${ms(max)} ms${processor === undefined ? "" : `; ${ms(processor)}`}`;

export function libraryRows(figures: LibraryResult): Row[] {
  const { pictures, scanSeconds, againSeconds, queries } = figures;
  const loop = (what: string, times: Times): Row => ({
    what: `event loop held up while ${what}`,
    value: spread(times),
    target: "max 50 ms",
  });
  return [
    { what: "pictures", value: String(pictures) },
    { what: "first scan", value: `${scanSeconds.toFixed(1)} s, ${(pictures / scanSeconds).toFixed(0)} pictures/s` },
    {
      what: "scan with nothing new",
      value: `${againSeconds.toFixed(2)} s, ${(pictures / againSeconds).toFixed(0)} pictures/s`,
    },
    loop("scanning", figures.loopWhileScanning),
    { what: "a page while scanning", value: spread(figures.pageWhileScanning) },
    { what: "first page", value: spread(figures.firstPage), target: "50 ms" },
    ...Object.entries(queries).map(([what, times]) => ({ what, value: spread(times), target: "p95 100 ms" })),
    loop("asking", figures.loopWhileAsking),
    { what: "export of all as CSV", value: `${figures.exportSeconds.toFixed(2)} s` },
    loop("exporting", figures.loopWhileExporting),
    ...Object.entries(figures.changesPerSecond).map(([what, rate]) => ({ what, value: `${rate.toFixed(0)} files/s` })),
    loop("changing", figures.loopWhileChanging),
    { what: "opening the library", value: `${figures.openMs.toFixed(0)} ms` },
    {
      what: "memory: empty process, peak, at rest",
      value: [figures.emptyRss, figures.peakRss, figures.restRss].map(mb).join(", "),
    },
    { what: "database", value: mb(figures.databaseBytes) },
  ];
}

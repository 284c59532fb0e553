// One server for one data folder: two would run each other's jobs and move each other's pictures.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "../../bin/lock.mjs";
import { SystemError } from "../errors.ts";
import { writeWhole } from "../tasks/writeWhole.ts";

const addressFile = (home: string) => join(home, "server.json");

/** Takes the folder; what comes back lets it go. One that a killed server has left is taken over. */
export async function holdHome(home: string): Promise<() => Promise<void>> {
  let release = () => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const where = await readFile(addressFile(home), "utf8").catch(() => "");
  return new Promise((resolve, reject) => {
    const onWait = () => {
      throw isTaken(home, where);
    };
    const held = withLock(
      join(home, "server.lock"),
      () => {
        resolve(async () => {
          release();
          await held;
        });
        return until;
      },
      { onWait },
    );
    held.catch(reject);
  });
}

/** For the message of who comes second. */
export const tellAddress = (home: string, url: string): Promise<void> =>
  writeWhole(addressFile(home), `${JSON.stringify({ url, pid: process.pid })}\n`);

function isTaken(home: string, address: string): SystemError {
  const url = /"url":"([^"]+)"/.exec(address)?.[1];
  return new SystemError(`Renoir is running already${url ? `, at ${url}` : ""}: another one uses ${home}.`, {
    hint: "Open that address, or stop that one first. A second one needs a data folder of its own: set RENOIR_HOME.",
  });
}

// Does one thing to a library, to be killed in the middle of it: node --import tsx faultChild.ts HOME scan|write|delete|undo

import { join } from "node:path";
import { openDatabase } from "../../../src/server/database.ts";
import { Library } from "../../../src/server/library/library.ts";
import { silentLog } from "../../../src/server/log.ts";

const [home = "", action = ""] = process.argv.slice(2);
const settings = { get: () => ({ rewards: ["imagereward"], limits: {} }) };
const database = openDatabase(join(home, "renoir.db"));
const library = await Library.open({ home, database, settings, log: silentLog(), demo: null, restingMs: 0 });

const work: Record<string, () => Promise<unknown>> = {
  scan: () => library.scan({ onProgress: ({ done, message }) => console.log(`progress ${done} ${message}`) }),
  write: () => library.change({ filter: {}, action: "write" }),
  delete: () => library.delete({ filter: {} }),
  undo: () => library.undo(),
};

console.log("begun");
await work[action]!();
console.log("done");
await library.close();
database.close();

// A lock between processes: a file that only one can create. Plain JavaScript, since the launcher needs it before anything is built.
// The holder touches the file while it works, so that a lock left by a killed process is told from one in use, on any file system.
import { mkdirSync, readFileSync, statSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";

const TOUCH_MS = 2_000;
const STALE_MS = 20_000; // ten missed touches: a busy machine may miss a few
const POLL_MS = 100;

/** What this very process holds. */
const held = new Set();

/** Runs `work` while holding the lock file; `onWait` is called once when another process holds it. */
export async function withLock(file, work, { onWait } = {}) {
  const mine = `${hostname()} ${process.pid} ${Math.random()}`;
  mkdirSync(dirname(file), { recursive: true });
  let waited = false;
  while (!create(file, mine)) {
    breakIfStale(file);
    if (create(file, mine)) break;
    if (!waited && onWait) onWait();
    waited = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  held.add(mine);
  const touching = setInterval(() => touch(file), TOUCH_MS);
  const release = () => {
    held.delete(mine);
    if (read(file) === mine) remove(file);
  };
  process.once("exit", release); // also after process.exit() in the middle of the work
  try {
    return await work();
  } finally {
    clearInterval(touching);
    process.removeListener("exit", release);
    release();
  }
}

/** Judging a lock is itself guarded, so that no one removes the lock that a faster judge has just taken over. */
function breakIfStale(file) {
  const seen = read(file);
  if (seen === undefined || !isStale(file, seen)) return;
  const guard = `${file}.guard`;
  if (!create(guard, "")) {
    if (age(guard) > STALE_MS) remove(guard);
    return;
  }
  try {
    if (read(file) === seen) remove(file);
  } finally {
    remove(guard);
  }
}

function isStale(file, owner) {
  if (age(file) > STALE_MS) return true;
  const [host, pid] = owner.split(" ");
  if (host !== hostname()) return false;
  // In a container the process that was killed had often the number that this one has.
  return Number(pid) === process.pid ? !held.has(owner) : Number(pid) > 0 && !isRunning(Number(pid));
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM"; // another user's process
  }
}

function create(file, text) {
  try {
    writeFileSync(file, text, { flag: "wx" });
    return true;
  } catch (error) {
    // Windows answers EPERM while a file of that name is being removed.
    if (error.code === "EEXIST" || (process.platform === "win32" && error.code === "EPERM")) return false;
    throw error;
  }
}

const read = (file) => orUndefined(() => readFileSync(file, "utf8"));
const age = (file) => orUndefined(() => Date.now() - statSync(file).mtimeMs) ?? 0;
const remove = (file) => orUndefined(() => unlinkSync(file));
const touch = (file) => orUndefined(() => utimesSync(file, new Date(), new Date()));

/** The file may vanish between any two calls; that is no error here. */
function orUndefined(ask) {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

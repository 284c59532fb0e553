/** Runs `work` while holding the lock file; `onWait` is called once when another process holds it. */
export function withLock<T>(file: string, work: () => T | Promise<T>, options?: { onWait?: () => void }): Promise<T>;

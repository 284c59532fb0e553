/** The folder that holds bin/. */
export const root: string;
/** A sentence for a Node that is too old, undefined for one that will do. */
export function nodeProblem(version: string, wanted?: string): string | undefined;
/** Whether every package of the lock file lies in node_modules at its pinned version. */
export function isInstalled(folder: string, development: boolean): boolean;

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The TypeScript files under a folder of the project, as paths from its root. */
export const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();

export const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** What a module names in its imports, re-exports and dynamic imports; types too, as they make readers follow them. */
export function importsOf(text: string): string[] {
  const forms =
    /^(?:import|export)\s[^;'"]*?from\s*["']([^"']+)["']|^import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;
  return [...text.matchAll(forms)].map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!);
}

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Not *.test.ts: the hosts are no part of what must pass before a change lands.
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/hosts/**/*.hosts.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/reference/fidelity.ts"],
    pool: "forks", // as in the project's own configuration
    testTimeout: 600_000, // a subject: the longest takes 15 s, and many times that on a machine that is busy
  },
});

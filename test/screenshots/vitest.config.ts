import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    include: ["test/screenshots/screenshots.ts"],
    pool: "forks", // as in the project's own configuration
    testTimeout: 240_000,
  },
});

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Forks, not VM contexts: typed arrays from another realm break onnxruntime-node.
    pool: "forks",
    testTimeout: 60_000,
  },
});

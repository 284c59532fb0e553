import { expect, test } from "vitest";
import { add, compile, input, listProviders } from "../../src/graph/index.ts";

const y = add(input("x", [2, 3]), 1);

test("an unknown provider is refused by name", async () => {
  const provider = "tpu" as "cpu";
  await expect(compile({ y }, { provider })).rejects.toThrow('There is no provider "tpu"; there are auto, cuda');
});

test("a provider of another platform is refused, not quietly replaced by the CPU", async () => {
  const foreign = process.platform === "win32" ? "coreml" : "dml";
  await expect(compile({ y }, { provider: foreign })).rejects.toThrow(`onnxruntime has no provider ${foreign}`);
});

test("the CPU is always among the providers, and last", async () => {
  expect((await listProviders()).at(-1)).toBe("cpu");
});

test("a missing or misshapen input is an error that names it", async () => {
  const session = await compile({ y }, { provider: "cpu" });
  await expect(session.run({})).rejects.toThrow("input x [2, 3] was not given");
  await expect(session.run({ x: new Float32Array(5) })).rejects.toThrow("x [2, 3] was given 5 numbers");
  expect([...(await session.run({ x: Float32Array.of(0, 1, 2, 3, 4, 5) })).y!]).toEqual([1, 2, 3, 4, 5, 6]);
  await session.release();
});

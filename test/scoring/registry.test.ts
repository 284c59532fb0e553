import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { RewardRegistry } from "../../src/scoring/registry.ts";
import { type Brightness, brightness } from "./brightness.ts";

const spec = { name: "brightness" };

/** A registry of brightness rewards, and the list of those it loaded. */
function setUp(options: { idleMs?: number; reserve?: number; free?: () => number; watchMs?: number } = {}) {
  const loads: Brightness[] = [];
  const registry = new RewardRegistry<Brightness>({
    load: async ({ name, dtype }) => {
      await wait(10);
      const reward = brightness(name, dtype);
      loads.push(reward);
      return reward;
    },
    reserve: 0,
    ...options,
  });
  return { registry, loads };
}

test("nothing is loaded before the first use, and later uses share it", async () => {
  const { registry, loads } = setUp();
  expect(loads.length).toBe(0);
  await registry.use(spec, async () => {});
  const second = await registry.use(spec, async (reward) => reward);
  expect(loads).toEqual([second]);
});

test("two that ask at the same time share one load", async () => {
  const { registry, loads } = setUp();
  const [a, b] = await Promise.all([registry.lease(spec), registry.lease(spec)]);
  expect(a.reward).toBe(b.reward);
  expect(loads.length).toBe(1);
});

test("specs that differ are different rewards", async () => {
  const { registry, loads } = setUp();
  await registry.use(spec, async () => {});
  await registry.use({ ...spec, dtype: "int8" }, async () => {});
  expect(loads.map(({ dtype }) => dtype)).toEqual(["float32", "int8"]);
});

test("a load that fails fails all who wait for it, and the next use tries again", async () => {
  let tries = 0;
  const registry = new RewardRegistry<Brightness>({
    load: async () => {
      tries += 1;
      if (tries === 1) throw new Error("the disk is busy");
      return brightness();
    },
  });
  const both = await Promise.allSettled([registry.lease(spec), registry.lease(spec)]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(registry.loaded()).toEqual([]);
  await expect(registry.use(spec, async ({ name }) => name)).resolves.toBe("Brightness");
  expect(tries).toBe(2);
});

test("an unload waits for the work in hand, and who comes later loads anew", async () => {
  const { registry, loads } = setUp();
  const lease = await registry.lease(spec);
  const unloading = registry.unload("brightness");
  await wait(5);
  expect(loads[0]!.unloaded).toBe(0);
  const later = await registry.lease(spec);
  expect(later.reward).not.toBe(lease.reward);
  lease.release();
  lease.release();
  await unloading;
  expect(loads.map(({ unloaded }) => unloaded)).toEqual([1, 0]);
  later.release();
});

test("unloading by name leaves the others", async () => {
  const { registry, loads } = setUp();
  await registry.use(spec, async () => {});
  await registry.use({ name: "other" }, async () => {});
  await registry.unload("other");
  expect(loads.map(({ name, unloaded }) => [name, unloaded])).toEqual([
    ["brightness", 0],
    ["other", 1],
  ]);
});

test("an unused reward goes after a while, a used one stays", async () => {
  const { registry, loads } = setUp({ idleMs: 30 });
  const lease = await registry.lease(spec);
  await wait(60);
  expect(loads[0]!.unloaded).toBe(0);
  lease.release();
  await wait(60);
  expect(loads[0]!.unloaded).toBe(1);
  expect(registry.loaded()).toEqual([]);
});

test("when memory runs short, the longest unused goes first, and no more than needed", async () => {
  let free = 100;
  const { registry, loads } = setUp({ reserve: 50, free: () => free, watchMs: 10 });
  for (const name of ["a", "b", "c"]) {
    await registry.use({ name }, async () => {});
    await wait(3);
  }
  const busy = await registry.lease({ name: "a" });
  free = 10;
  const unload = loads[1]!.unload;
  loads[1]!.unload = async () => {
    await unload();
    free = 60; // b gave its memory back
  };
  await wait(40);
  expect(loads.map(({ unloaded }) => unloaded)).toEqual([0, 1, 0]);
  busy.release();
});

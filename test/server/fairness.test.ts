import { expect, test } from "vitest";
import { clientOf, Fairness } from "../../src/server/fairness.ts";

test("a client has so much under way and no more, and the others are not held up by it", () => {
  const fairness = new Fairness({ perClient: 2, altogether: 3 });
  const end = fairness.begin("a");
  fairness.begin("a");
  expect(() => fairness.begin("a")).toThrow("This client has 2 requests of this kind under way");
  fairness.begin("b");
  expect(() => fairness.begin("c")).toThrow("3 requests of this kind are under way");
  end();
  fairness.begin("c");
});

test("clients take turns: the second's only request is the second to be answered, not the last", async () => {
  const fairness = new Fairness();
  const order: string[] = [];
  const ask = async (client: string) => {
    await fairness.turn(client);
    order.push(client);
  };
  await Promise.all([...Array.from({ length: 100 }, () => ask("a")), ask("b"), ask("c")]);
  expect(order.slice(0, 4)).toEqual(["a", "b", "c", "a"]);
  expect(order).toHaveLength(102);
});

test("programs of this machine are told apart by their names, other machines by their address alone", () => {
  const from = (remoteAddress: string, headers: Record<string, string>) =>
    clientOf({ headers, socket: { remoteAddress } } as never);
  expect(from("127.0.0.1", { "user-agent": "curl" })).not.toBe(from("127.0.0.1", { "user-agent": "python" }));
  expect(from("::ffff:127.0.0.1", { "x-renoir-client": "1", "user-agent": "a" })).not.toBe(
    from("127.0.0.1", { "user-agent": "a" }),
  );
  expect(from("192.168.0.7", { "x-renoir-client": "1" })).toBe(from("::ffff:192.168.0.7", { "x-renoir-client": "2" }));
});

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WeightError } from "../../src/errors.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { MAX_STACK, PyName, type PyValue, readPickle } from "../../src/weights/pickle.ts";

const fixtures = join(import.meta.dirname, "fixtures");
const pickles = JSON.parse(readFileSync(join(fixtures, "pickles.json"), "utf8")) as {
  plain: unknown;
  protocols: string[];
  python2: string;
  others: Record<string, string>;
};

const host = {
  where: "The pickle",
  find: (name: string) => (name === "builtins.bytearray" ? new PyName(name, ([bytes]) => bytes ?? null) : undefined),
  persistent: () => null,
};
const read = (bytes: Uint8Array | string) =>
  readPickle(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, host).value;

/** Dicts as JSON has them. */
const plainOf = (value: PyValue): unknown => {
  if (value instanceof Map) return Object.fromEntries(Array.from(value, ([key, item]) => [key, plainOf(item)]));
  return Array.isArray(value) ? value.map(plainOf) : value;
};

test.each(pickles.protocols.map((hex, protocol) => ({ protocol, hex })))(
  "protocol $protocol: plain values are Python's",
  ({ hex }) => {
    expect(plainOf(read(Buffer.from(hex, "hex")))).toEqual(pickles.plain);
  },
);

test("a value that occurs twice is the same value", () => {
  const [a, b] = (read(Buffer.from(pickles.protocols[4]!, "hex")) as Map<string, PyValue[]>).get("same")!;
  expect(a).toBe(b);
});

test.each(["4", "5"])("protocol %s: sets, bytes and large whole numbers are Python's", (protocol) => {
  const [set, frozen, bytes, more, large, negative] = read(Buffer.from(pickles.others[protocol]!, "hex")) as PyValue[];
  expect([...(set as Set<number>)].sort()).toEqual([1, 2]);
  expect(frozen).toEqual(new Set([3]));
  expect([...(bytes as Uint8Array)]).toEqual([0, 255]);
  expect([...(more as Uint8Array)]).toEqual([97, 98]);
  expect([large, negative]).toEqual([2n ** 80n, -(2n ** 70n)]);
});

test("Python 2's strings, longs and booleans", () => {
  expect(read(Buffer.from(pickles.python2, "hex"))).toEqual(
    new Map<PyValue, PyValue>([
      ["it's A\n", 2n ** 64n],
      ["q", true],
    ]),
  );
});

const names: Record<string, RegExp> = {
  reduce: /names "(posix|os|nt)\.system"/,
  stack_global: /names "builtins\.eval"/,
  inst: /names "os\.system"/,
  obj: /names "os\.system"/,
  newobj: /names "subprocess\.Popen"/,
  nested: /names "torch\.storage\._load_from_bytes"/,
  partial: /names "functools\.partial"/,
  build: /names "builtins\.exec"/,
  getattr: /names "builtins\.getattr"/,
  extension: /names something by the extension code 240/,
};

describe("a pickle that names what runs commands (fixtures/make.py shows which do in Python)", () => {
  const files = readdirSync(fixtures).filter((name) => name.startsWith("evil."));

  test("has a case for each file", () => {
    expect(files.map((name) => name.split(".")[1]).sort()).toEqual(Object.keys(names).sort());
  });

  test.each(files)("%s is refused unread, by the name it uses", async (name) => {
    const error = await openCheckpoint(join(fixtures, name)).catch((error) => error);
    expect(error).toBeInstanceOf(WeightError);
    expect(error.message).toMatch(names[name.split(".")[1]!]!);
    expect(error.message).toContain("refused unread");
    expect(existsSync("renoir-was-here")).toBe(false);
  });
});

const bad: Record<string, [string, RegExp]> = {
  "no opcode": ["\xff", /has the byte 0xff where an opcode was wanted/],
  "an early end": ["\x80\x02}", /ends after 3 bytes/],
  "an empty stack": [".", /takes a value from an empty stack/],
  "a mark never set": ["t.", /goes back to a mark/],
  "a value never stored": ["h\x05.", /recalls value 5/],
  "an item of no dict": ["NNNs.", /not a dict/],
  "an append to nothing": ["K\x01K\x02a.", /not a list/],
  "a call of a number": ["K\x01)R.", /calls something that is not a name/],
  "arguments that are no tuple": ["K\x01K\x01R.", /arguments that are not a tuple/],
  "protocol 6": ["\x80\x06N.", /protocol 6/],
  "an unknown class": ["cmodels\nNet\n.", /names "models\.Net"/],
  "an endless string": ["\x8d\xff\xff\xff\xff\xff\xff\xff\xffx.", /ends after/],
  "an endless number": ["\x8b\xff\xff\xff\xff.", /a number of 4294967295 bytes/],
  "a number that is none": ["Iabc\n.", /"abc" where a whole number was wanted/],
  "a string that is not UTF-8": ["X\x01\x00\x00\x00\xff.", /not UTF-8/],
  "a frame beyond the end": ["\x80\x04\x95\xff\x00\x00\x00\x00\x00\x00\x00N.", /ends after/],
  "a stack without end": ["(".repeat(MAX_STACK + 1), /piles up more than/],
  "a buffer from elsewhere": ["\x97.", /a buffer from outside/],
};

test.each(Object.entries(bad))("%s is an error that says so", (_, [pickle, message]) => {
  expect(() => read(pickle)).toThrow(WeightError);
  expect(() => read(pickle)).toThrow(message);
});

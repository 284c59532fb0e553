import { posix } from "node:path";
import { expect, test } from "vitest";
import { importsOf, read, sources } from "./sources.ts";

/** Folders in the order data flows: a file imports from its own folder or from one listed before it. */
const order = [
  "errors.ts",
  "graph",
  "weights",
  "models",
  "shapes",
  "metadata",
  "scoring",
  "reno",
  "tuning",
  "extension",
  "tasks",
  "server",
  "cli",
  "index.ts",
];

/** What the launcher shares with the sources. */
const shared = ["bin/lock.mjs"];

/** Packages that one place alone knows, so that they can be replaced there. */
const confined: Record<string, RegExp> = {
  "onnxruntime-node": /^src\/graph\/session\.ts$/,
  protobufjs: /^src\/graph\/onnx\w*\.ts$/,
};

interface Import {
  readonly file: string;
  readonly target: string;
}

const folderOf = (file: string) => file.split("/")[1]!;
const packageOf = (name: string) =>
  name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");

/** A sentence for an import that must not be, undefined for one that may. */
function problem({ file, target }: Import): string | undefined {
  if (!target.startsWith(".")) {
    const owner = confined[packageOf(target)];
    return owner && !owner.test(file) ? `${file} imports ${target}, which only ${owner} may` : undefined;
  }
  const path = posix.join(posix.dirname(file), target);
  if (shared.includes(path)) return undefined;
  if (!path.startsWith("src/")) return `${file} imports ${target}, which is not part of the sources`;
  const [from, to] = [folderOf(file), folderOf(path)];
  if (order.indexOf(to) <= order.indexOf(from)) return undefined;
  return `${file} imports ${target}: ${from} comes before ${to} and must not know it`;
}

const files = sources("src");
const imports = files.flatMap((file) => importsOf(read(file)).map((target) => ({ file, target })));

test("every folder of the sources has its place in the order", () => {
  expect(files.map(folderOf).filter((folder) => !order.includes(folder))).toEqual([]);
});

test("imports only point backwards along the order of the folders, and confined packages stay where they are known", () => {
  expect(imports.map(problem).filter((found) => found !== undefined)).toEqual([]);
});

test("imports within the sources carry the extension that Node needs", () => {
  const bare = imports.filter(({ target }) => target.startsWith(".") && !/\.(ts|mjs|json)$/.test(target));
  expect(bare).toEqual([]);
});

test("the check finds imports of every form, and what is wrong with them", () => {
  const text = [
    'import { a } from "./own.ts";',
    'import type { B } from "../cli/index.ts";',
    'import {\n  c,\n} from "onnxruntime-node/x";',
    'export * from "../weights/index.ts";',
    'import "../../test/x.ts";',
    'const late = await import("protobufjs");',
  ].join("\n");
  const found = importsOf(text).map((target) => problem({ file: "src/graph/x.ts", target }));
  expect(found).toEqual([
    undefined,
    "src/graph/x.ts imports ../cli/index.ts: graph comes before cli and must not know it",
    "src/graph/x.ts imports onnxruntime-node/x, which only /^src\\/graph\\/session\\.ts$/ may",
    "src/graph/x.ts imports ../weights/index.ts: graph comes before weights and must not know it",
    "src/graph/x.ts imports ../../test/x.ts, which is not part of the sources",
    "src/graph/x.ts imports protobufjs, which only /^src\\/graph\\/onnx\\w*\\.ts$/ may",
  ]);
});

test("the sources are there to be checked", () => {
  expect(imports.length).toBeGreaterThan(50);
});

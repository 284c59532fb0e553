// "The nearest names in it are ...": what a message offers when a name is not found.

/** The `count` keys most like `key`, compared segment by segment between the dots. */
export function nearest(key: string, keys: Iterable<string>, count = 2): string[] {
  const wanted = key.split(".");
  const ranked = Array.from(keys, (name) => ({ name, cost: pathDistance(wanted, name.split(".")) }));
  ranked.sort((a, b) => a.cost - b.cost || (a.name < b.name ? -1 : 1));
  return ranked.slice(0, count).map(({ name }) => name);
}

/** `"a"`, `"a" and "b"`, `"a", "b" and "c"`. */
export function list(names: readonly string[]): string {
  const quoted = names.map((name) => `"${name}"`);
  const last = quoted.pop() ?? "none";
  return quoted.length ? `${quoted.join(", ")} and ${last}` : last;
}

const pathDistance = (a: readonly string[], b: readonly string[]) => distance(a, b, segmentCost);

/** 0 for equal segments, 1 for strangers. Numbers are equal or not: block 1 is no nearer to block 10 than to block 2. */
function segmentCost(a: string, b: string): number {
  if (a === b) return 0;
  if (/^\d+$/.test(a) || /^\d+$/.test(b)) return 1;
  return distance(Array.from(a), Array.from(b), (x, y) => (x === y ? 0 : 1)) / Math.max(a.length, b.length);
}

/** Levenshtein's distance with a cost for each substitution. */
function distance(a: readonly string[], b: readonly string[], cost: (x: string, y: string) => number): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const x of a) {
    const next = [row[0]! + 1];
    for (const [j, y] of b.entries()) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + cost(x, y)));
    }
    row = next;
  }
  return row[b.length]!;
}

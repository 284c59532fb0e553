// A1111's prompts that change while the picture is drawn, [from:to:0.5] and [one|other], and what of them holds at the first step
// (modules/prompt_parser.py of Forge dfdcbab6, whose grammar this follows).

/** All texts that the prompt becomes, the first step's first. `steps`: the sampler's, which count double where it evaluates twice. */
export function textsInTime(prompt: string, steps: number): string[] {
  const tree = parse(prompt);
  if (!tree) return [prompt];
  const changes = new Set([steps, ...times(tree, steps)]);
  return [...changes].sort((a, b) => a - b).map((step) => textAt(tree, step, steps));
}

type Node = string | Alternate | Scheduled | readonly Node[];
interface Alternate {
  readonly choices: readonly (readonly Node[])[];
}
interface Scheduled {
  readonly before: readonly Node[];
  readonly after: readonly Node[];
  /** A whole number is a step, one with a point a part of all steps. */
  readonly when: string;
}

const isList = (node: Node): node is readonly Node[] => Array.isArray(node);

function times(node: Node, steps: number): number[] {
  if (typeof node === "string") return [];
  if (isList(node)) return node.flatMap((part) => times(part, steps));
  if ("choices" in node) return [...Array.from({ length: steps }, (_, i) => i + 1), ...times(node.choices, steps)];
  const own = stepOf(node, steps);
  return [...(own >= 1 ? [own] : []), ...times([node.before, node.after], steps)];
}

const stepOf = ({ when }: Scheduled, steps: number) =>
  Math.min(steps, Math.trunc(when.includes(".") ? Number(when) * steps : Number(when)));

function textAt(node: Node, step: number, steps: number): string {
  if (typeof node === "string") return node;
  if (isList(node)) return node.map((part) => textAt(part, step, steps)).join("");
  if ("choices" in node) return textAt(node.choices[(step - 1) % node.choices.length]!, step, steps);
  return textAt(step <= stepOf(node, steps) ? node.before : node.after, step, steps);
}

// ---- the grammar

interface Parsed<T> {
  readonly value: T;
  readonly end: number;
}

const PLAIN = /(?:[^\\[\]():|]|\\.)+/y;
const WHEN = /\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*\]/iy;
/** A bracket inside of so many others is text: no prompt has them, and each costs a call. */
const maxDepth = 200;

/** null where the grammar has no place for a character: then the hosts take the prompt as it stands. */
function parse(prompt: string): Node | null {
  const nodes: Node[] = [];
  const dead = new Set<number>();
  for (let at = 0; at < prompt.length; ) {
    const { value, end } = elements(prompt, at, dead, 0);
    nodes.push(value);
    at = end;
    if (at === prompt.length) break;
    if (!"[]():".includes(prompt[at]!)) return null;
    nodes.push(prompt[at++]!);
  }
  return nodes;
}

/** As many as there are; none is fine. */
function elements(prompt: string, start: number, dead: Set<number>, depth: number): Parsed<Node[]> {
  const value: Node[] = [];
  let end = start;
  for (;;) {
    const next = plain(prompt, end) ?? bracketed(prompt, end, dead, depth);
    if (!next) return { value, end };
    value.push(next.value);
    end = next.end;
  }
}

function plain(prompt: string, at: number): Parsed<Node> | null {
  PLAIN.lastIndex = at;
  const [value] = PLAIN.exec(prompt) ?? [];
  return value ? { value, end: at + value.length } : null;
}

function bracketed(prompt: string, at: number, dead: Set<number>, depth: number): Parsed<Node> | null {
  if (dead.has(at) || depth > maxDepth) return null;
  const inside = (from: number) => elements(prompt, from, dead, depth + 1);
  const char = prompt[at];
  const read = char === "(" ? round(prompt, at, inside) : char === "[" ? square(prompt, at, inside) : null;
  if (!read) dead.add(at);
  return read;
}

type Inside = (from: number) => Parsed<Node[]>;

/** (a) and (a:b) are weights, for whom the brackets stay. */
function round(prompt: string, at: number, inside: Inside): Parsed<Node> | null {
  const first = inside(at + 1);
  const second = prompt[first.end] === ":" ? inside(first.end + 1) : null;
  const { end } = second ?? first;
  if (prompt[end] !== ")") return null;
  const parts = second ? [first.value, ":", second.value] : [first.value];
  return { value: ["(", ...parts, ")"], end: end + 1 };
}

function square(prompt: string, at: number, inside: Inside): Parsed<Node> | null {
  const first = inside(at + 1);
  const next = prompt[first.end];
  if (next === "]") return { value: ["[", first.value, "]"], end: first.end + 1 };
  if (next === "|") return alternate(prompt, first, inside);
  return next === ":" ? scheduled(prompt, first, inside) : null;
}

function alternate(prompt: string, first: Parsed<Node[]>, inside: Inside): Parsed<Node> | null {
  const choices = [first.value];
  let { end } = first;
  while (prompt[end] === "|") {
    const choice = inside(end + 1);
    choices.push(choice.value);
    end = choice.end;
  }
  return prompt[end] === "]" ? { value: { choices }, end: end + 1 } : null;
}

/** [to:3] begins later, [from:to:3] changes. */
function scheduled(prompt: string, first: Parsed<Node[]>, inside: Inside): Parsed<Node> | null {
  const alone = timeAt(prompt, first.end + 1);
  if (alone) return { value: { before: [], after: first.value, when: alone.value }, end: alone.end };
  const second = inside(first.end + 1);
  const time = prompt[second.end] === ":" ? timeAt(prompt, second.end + 1) : null;
  return time && { value: { before: first.value, after: second.value, when: time.value }, end: time.end };
}

function timeAt(prompt: string, at: number): Parsed<string> | null {
  WHEN.lastIndex = at;
  const match = WHEN.exec(prompt);
  return match && { value: match[1]!, end: WHEN.lastIndex };
}

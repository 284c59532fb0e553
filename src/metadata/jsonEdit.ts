// One number set in a host's JSON with every other byte kept: parsing and writing anew would turn 7.0 into 7 and round long seeds.

interface Member {
  key: string;
  start: number;
  end: number;
}

/** The text, which must be a JSON object, with `value` at the path; objects on the way are made where they are missing. */
export function setInJson(text: string, path: readonly string[], value: string): string {
  let open = text.indexOf("{");
  for (const [i, key] of path.entries()) {
    const member = members(text, open).findLast((each) => each.key === key);
    const rest = path.slice(i + 1);
    const isObject = member !== undefined && text[member.start] === "{";
    if (member && rest.length > 0 && isObject) {
      open = member.start;
      continue;
    }
    const nested = rest.reduceRight((inner, name) => `{${JSON.stringify(name)}: ${inner}}`, value);
    return member ? text.slice(0, member.start) + nested + text.slice(member.end) : insert(text, open, key, nested);
  }
  return text;
}

/** At the object's end, laid out as its first member is. */
function insert(text: string, open: number, key: string, value: string): string {
  const last = members(text, open).at(-1);
  const first = skipSpace(text, open + 1);
  const member = `${JSON.stringify(key)}: ${value}`;
  if (!last) return `${text.slice(0, open + 1)}${member}${text.slice(open + 1)}`;
  return `${text.slice(0, last.end)},${text.slice(open + 1, first) || " "}${member}${text.slice(last.end)}`;
}

function members(text: string, open: number): Member[] {
  const found: Member[] = [];
  let at = skipSpace(text, open + 1);
  while (text[at] === '"') {
    const keyEnd = skipValue(text, at);
    const start = skipSpace(text, text.indexOf(":", keyEnd) + 1);
    const end = skipValue(text, start);
    found.push({ key: JSON.parse(text.slice(at, keyEnd)), start, end });
    at = skipSpace(text, end);
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return found;
}

/** Behind the value at `start`: a string, an object or list with all in it, or a word. */
function skipValue(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const char = text[i]!;
    if (char === '"') i = closingQuote(text, i);
    else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    else if (!/[\s,]/.test(text[i + 1] ?? ",") && !/[}\]]/.test(text[i + 1]!)) continue;
    if (depth <= 0) return i + 1;
  }
  return text.length;
}

function closingQuote(text: string, open: number): number {
  // Letter by letter only where something is escaped: a picture in base64 has megabytes.
  for (let i = open + 1; i < text.length; ) {
    const quote = text.indexOf('"', i);
    if (quote < 0) break;
    const backslash = text.slice(i, quote).indexOf("\\");
    if (backslash < 0) return quote;
    i += backslash + 2;
  }
  return text.length;
}

function skipSpace(text: string, from: number): number {
  let i = from;
  while (/\s/.test(text[i] ?? "")) i++;
  return i;
}

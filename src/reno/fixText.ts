// What the ftfy package (6.3, Speer 2019) does to a prompt where it is installed beside transformers, as it is with Forge, A1111 and
// ReNO: curly quotes, ligatures, full-width letters and HTML's escapes become plain ones. Text decoded wrongly before ("â€œ") is left as it is.

/** The repairs in ftfy's order (fix_and_explain); all of them again until nothing changes. */
const repairs: readonly ((text: string) => string)[] = [
  (text) => text.replace(/[\u0080-\u009f]/g, (c) => windows1252[c.charCodeAt(0) - 0x80]!),
  (text) => text.replace(/[ĲĳŉǄ-ǌǱ-ǳﬀ-ﬆ]/g, (c) => ligatures[c] ?? c),
  (text) => text.replace(/[\u3000\uff01-\uffef]/g, (c) => (c === "\u3000" ? " " : c.normalize("NFKC"))),
  (text) => text.replace(/[\u02bc\u2018-\u201b]/g, "'").replace(/[\u201c-\u201f]/g, '"'),
  (text) => text.replace(/\r\n|[\r\u2028\u2029\u0085]/g, "\n"),
  (text) => text.replace(/\p{Surrogate}/gu, "\ufffd"), // halves of a pair
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's colours begin with escape
  (text) => text.replace(/\u001b\[[\d;]*[a-zA-Z]/g, ""),
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what goes
  (text) => text.replace(/[\u0000-\u0008\u000b\u000e-\u001f\u007f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, ""),
  (text) => text.normalize("NFC"),
];

/** Bytes 80 to 9f; Node's own TextDecoder reads them as Latin-1. */
const windows1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

const ligatures: Readonly<Record<string, string>> = {
  ...{ Ĳ: "IJ", ĳ: "ij", ŉ: "ʼn", Ǆ: "DŽ", ǅ: "Dž", ǆ: "dž", Ǉ: "LJ", ǈ: "Lj", ǉ: "lj", Ǌ: "NJ", ǋ: "Nj", ǌ: "nj" },
  ...{ Ǳ: "DZ", ǲ: "Dz", ǳ: "dz", ﬀ: "ff", ﬁ: "fi", ﬂ: "fl", ﬃ: "ffi", ﬄ: "ffl", ﬅ: "ſt", ﬆ: "st" },
};

/** ftfy.fix_text, line by line; from the first "<" on it takes the text for HTML and leaves its escapes alone. */
export function fixText(text: string): string {
  let html = false;
  return text
    .split(/(?<=\n)/)
    .map((line) => {
      html ||= line.includes("<");
      return fixLine(line, html);
    })
    .join("");
}

function fixLine(line: string, html: boolean): string {
  const whole = html ? repairs : [unescapeHtml, ...repairs];
  const fixed = whole.reduce((text, repair) => repair(text), line);
  return fixed === line ? line : fixLine(fixed, html);
}

const unescapeHtml = (text: string) =>
  text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([0-9A-Za-z]{1,24}));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return Object.hasOwn(entities, name) ? entities[name]! : whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number.parseInt(decimal, 10);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });

/** Of HTML's 2,231 names those that turn up in prompts copied from pages. */
const entities: Readonly<Record<string, string>> = {
  ...{ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", AMP: "&", LT: "<", GT: ">", QUOT: '"' },
  ...{ ndash: "–", mdash: "—", hellip: "…", lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”", laquo: "«", raquo: "»" },
  ...{ copy: "©", reg: "®", trade: "™", deg: "°", times: "×", middot: "·", bull: "•", eacute: "é", ntilde: "ñ" },
  ...{ auml: "ä", ouml: "ö", uuml: "ü", Auml: "Ä", Ouml: "Ö", Uuml: "Ü", szlig: "ß", agrave: "à", egrave: "è" },
};

// EXIF's UserComment: eight bytes name a character code, then the text (EXIF 2.32, 4.6.5). Writers disagree about what
// "UNICODE" means, so the bytes decide: A1111, Forge and Civitai write UTF-16BE, SwarmUI UTF-16LE, others UTF-8 or a BOM.
// The byte order of the TIFF around it predicts nothing.

import { concat, decodeText, encodeLatin1, encodeUtf8, latin1, withoutNulls } from "./bytes.ts";

const prefixLength = 8;

/** How a comment's text lies in its bytes. `encode` gives undefined for text the form can not hold. */
interface Form {
  name: string;
  lead: Uint8Array; // the prefix and byte order mark, kept when the text is replaced
  decode(bytes: Uint8Array): string;
  encode(text: string): Uint8Array | undefined;
}

export interface Comment {
  text: string;
  encoding: string;
}

export function decodeUserComment(raw: Uint8Array): Comment {
  const form = formOf(raw);
  return { text: form.decode(raw.subarray(form.lead.length)), encoding: form.name };
}

/** The text in the form the old comment had; in UNICODE + UTF-16BE where that form has no place for its characters. */
export function replaceUserComment(old: Uint8Array, text: string): Uint8Array {
  const form = formOf(old);
  const bytes = form.encode(text);
  return bytes ? concat([form.lead, bytes]) : newUserComment(text);
}

/** UNICODE + UTF-16BE without a byte order mark, the one form A1111's and Forge's reader (piexif) decodes. */
export function newUserComment(text: string): Uint8Array {
  return concat([encodeUtf8("UNICODE\0"), encodeUtf16be(text)]);
}

/** Which form a comment has, by its prefix. One without a known prefix is text from its first byte on. */
function formOf(raw: Uint8Array): Form {
  const prefix = latin1(raw, 0, prefixLength).toUpperCase();
  const lead = raw.subarray(0, prefixLength);
  const payload = raw.subarray(prefixLength);
  const forms: Record<string, () => Form> = {
    "UNICODE\0": () => unicodeForm(raw, payload),
    "ASCII\0\0\0": () => bytesForm("ascii", lead, payload),
    "JIS\0\0\0\0\0": () => jisForm(lead, payload),
    "\0\0\0\0\0\0\0\0": () => bytesForm("undefined", lead, payload),
  };
  return forms[prefix]?.() ?? bytesForm("none", raw.subarray(0, 0), raw);
}

/** One byte a character or UTF-8. An ASCII comment that is ASCII takes no other characters. */
function bytesForm(prefix: "ascii" | "undefined" | "none", lead: Uint8Array, payload: Uint8Array): Form {
  const { encoding } = decodeText(withoutNulls(payload));
  const plain = encoding === "ascii";
  const names = {
    ascii: plain ? "ascii" : `ascii-${encoding}`,
    undefined: encoding === "latin1" ? "undefined-latin1" : "undefined-utf8",
    none: encoding === "latin1" ? "none-latin1" : "none-utf8",
  };
  const encoders = { ascii: encodeAscii, "utf-8": encodeUtf8, latin1: encodeLatin1 };
  return {
    name: names[prefix],
    lead,
    decode: (bytes) => decodeText(withoutNulls(bytes)).text,
    encode: encoders[plain && prefix !== "ascii" ? "utf-8" : encoding],
  };
}

const isAscii = (text: string) => /^[\0-\x7f]*$/.test(text);
const encodeAscii = (text: string) => (isAscii(text) ? encodeUtf8(text) : undefined);

/** The forms seen under UNICODE: with a byte order mark, UTF-8, and UTF-16 in either order. */
function unicodeForm(raw: Uint8Array, payload: Uint8Array): Form {
  const mark = latin1(payload, 0, 2);
  const withMark = raw.subarray(0, prefixLength + 2);
  const lead = raw.subarray(0, prefixLength);
  if (mark === "\xfe\xff") return { ...utf16be, name: "unicode-bom", lead: withMark };
  if (mark === "\xff\xfe") return { ...utf16le, name: "unicode-bom", lead: withMark };
  if (looksLikeUtf8(payload)) return { ...bytesForm("undefined", lead, payload), name: "unicode-utf8" };
  return isBigEndian(payload) ? { ...utf16be, lead } : { ...utf16le, lead };
}

/** No NUL inside: UTF-16 of anything with a parameter line has one in every second byte. */
function looksLikeUtf8(payload: Uint8Array): boolean {
  const body = withoutNulls(payload);
  return body.length > 1 && !body.includes(0) && decodeText(body).encoding !== "latin1";
}

/**
 * The order whose high bytes are more often zero, as in any text with a parameter line. Where hardly any byte is zero
 * (a CJK character may end in 00), the order that gives fewer characters nobody uses; else big-endian, the commoner.
 */
function isBigEndian(payload: Uint8Array): boolean {
  const zeros = [0, 0];
  for (const [at, byte] of payload.entries()) if (byte === 0) zeros[at % 2]!++;
  const lead = zeros[0]! - zeros[1]!;
  if (Math.abs(lead) > payload.length / 16) return lead > 0;
  return unused(utf16be.decode(payload)) <= unused(utf16le.decode(payload));
}

/** How many code points are unassigned, private, surrogates without a partner, or controls other than line ends and tabs. */
const unused = (text: string) => text.match(/[\p{Cn}\p{Co}\p{Cs}]|(?![\t\n\r])\p{Cc}/gu)?.length ?? 0;

const utf16le = { name: "unicode-le", decode: decodeUtf16le, encode: encodeUtf16le };
const utf16be = {
  name: "unicode-be",
  decode: (bytes: Uint8Array) => decodeUtf16le(swapped(bytes)),
  encode: encodeUtf16be,
};

/** Half of a surrogate pair stays as it is, to be written back as it was. */
function decodeUtf16le(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf16le").replace(/\0+$/, "");
}

function encodeUtf16le(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "utf16le"));
}

function encodeUtf16be(text: string): Uint8Array {
  return swapped(encodeUtf16le(text));
}

function swapped(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.from(bytes.subarray(0, bytes.length & ~1)).swap16());
}

/** JIS is Shift_JIS to piexif, and so to A1111 and Forge; ISO-2022-JP, which begins with an escape, is only read. */
function jisForm(lead: Uint8Array, payload: Uint8Array): Form {
  const escaped = payload.includes(0x1b);
  const decoder = new TextDecoder(escaped ? "iso-2022-jp" : "shift_jis");
  return {
    name: "jis",
    lead,
    decode: (bytes) => decoder.decode(withoutNulls(bytes)),
    encode: (text) => (escaped ? undefined : encodeShiftJis(text)),
  };
}

function encodeShiftJis(text: string): Uint8Array | undefined {
  const table = shiftJisTable();
  const codes = [...text].map((character) => table.get(character));
  return codes.every((code) => code !== undefined) ? Uint8Array.from(codes.flat()) : undefined;
}

let shiftJis: Map<string, number[]> | undefined;

/** The platform decodes Shift_JIS but does not encode it: every one- and two-byte code, decoded, is the way back. */
function shiftJisTable(): Map<string, number[]> {
  if (shiftJis) return shiftJis;
  const decoder = new TextDecoder("shift_jis");
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  const leads = all.filter((byte) => (byte >= 0x81 && byte <= 0x9f) || (byte >= 0xe0 && byte <= 0xfc));
  const codes = [...all.map((byte) => [byte]), ...leads.flatMap((lead) => all.slice(0x40).map((low) => [lead, low]))];
  shiftJis = new Map();
  for (const code of codes) {
    const character = decoder.decode(Uint8Array.from(code));
    if ([...character].length === 1 && character !== "\ufffd" && !shiftJis.has(character))
      shiftJis.set(character, code);
  }
  return shiftJis;
}

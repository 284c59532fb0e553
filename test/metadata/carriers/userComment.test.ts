import { expect, test } from "vitest";
import { decodeUserComment, newUserComment, replaceUserComment } from "../../../src/metadata/carriers/userComment.ts";
import { carrier, edited, fixture, infotext, pair, scored, unicode } from "./build.ts";

const cjk = "日本語写真猫犬鳥";
const swapped = (text: string) => Buffer.from(text, "utf16le").swap16();
const utf8 = (text: string) => Buffer.from(text, "utf8");
const utf16 = (text: string) => Buffer.from(text, "utf16le");

/** Each form that is written somewhere: its fixture, its name, its text, and the bytes its pair must end the value with. */
const forms: [name: string, encoding: string, text: string, tail: Buffer][] = [
  ["be", "unicode-be", unicode, swapped(pair)],
  ["le", "unicode-le", unicode, utf16(pair)],
  ["bom_be", "unicode-bom", unicode, swapped(pair)],
  ["bom_le", "unicode-bom", unicode, utf16(pair)],
  ["cjk_be", "unicode-be", cjk, swapped(pair)],
  ["cjk_le", "unicode-le", cjk, utf16(pair)],
  ["unicode_utf8", "unicode-utf8", unicode, utf8(pair)],
  ["ascii", "ascii", infotext, utf8(pair)],
  ["jis", "jis", infotext.replace("a cat", "日本の猫"), utf8(pair)],
  ["nul_utf8", "undefined-utf8", unicode, utf8(pair)],
  ["none_utf8", "none-utf8", unicode, utf8(pair)],
];

for (const [name, encoding, text, tail] of forms) {
  test(`case 36: a UserComment of the form ${name} is read, and keeps its form when the score is appended`, () => {
    const before = fixture(`comment_${name}.jpg`);
    expect(carrier(before, "UserComment")).toMatchObject({ text, encoding, ifd: "exif" });
    const after = edited(before, scored(before, "UserComment"));
    expect(carrier(after, "UserComment")).toMatchObject({ text: text + pair, encoding });
    expect(Buffer.from(after).includes(tail)).toBe(true);
  });
}

test("case 36: replacing keeps every byte before the appended ones, prefix and byte order mark included", () => {
  for (const prefix of ["UNICODE\0", "UNICODE\0\xff\xfe", "Unicode\0"]) {
    const old = Buffer.concat([Buffer.from(prefix, "latin1"), utf16(unicode)]);
    const replaced = replaceUserComment(old, unicode + pair);
    expect(Buffer.from(replaced)).toEqual(Buffer.concat([old, utf16(pair)]));
  }
});

test("case 36: a text without prefix loses none of its first bytes", () => {
  const old = utf8("seven77 and more");
  expect(decodeUserComment(old)).toEqual({ text: "seven77 and more", encoding: "none-utf8" });
  expect(Buffer.from(replaceUserComment(old, "seven77 and more!")).toString()).toBe("seven77 and more!");
});

test("case 36: ASCII and JIS that can not hold the new text become UNICODE in big-endian order", () => {
  for (const prefix of ["ASCII\0\0\0", "JIS\0\0\0\0\0"]) {
    const replaced = replaceUserComment(utf8(`${prefix}cat`), "cat 😀");
    expect(Buffer.from(replaced)).toEqual(Buffer.from(newUserComment("cat 😀")));
    expect(decodeUserComment(replaced)).toEqual({ text: "cat 😀", encoding: "unicode-be" });
  }
});

test("case 36: padding NULs after a text are not part of it", () => {
  expect(decodeUserComment(utf8("ASCII\0\0\0cat\0\0\0")).text).toBe("cat");
  expect(decodeUserComment(Buffer.concat([utf8("UNICODE\0"), swapped("cat\0\0")])).text).toBe("cat");
});

test("case 8: half of a surrogate pair in UTF-16 is given back as it was", () => {
  const old = Buffer.concat([utf8("UNICODE\0"), swapped("a cat \ud83d here")]);
  const { text } = decodeUserComment(old);
  expect(text).toBe("a cat \ud83d here");
  expect(Buffer.from(replaceUserComment(old, text + pair))).toEqual(Buffer.concat([old, swapped(pair)]));
});

test("case 36: CJK text with characters that end in 00 is not taken for the other byte order", () => {
  const text = `一${cjk.repeat(5)}一`;
  expect(decodeUserComment(Buffer.concat([utf8("UNICODE\0"), swapped(text)]))).toEqual({
    text,
    encoding: "unicode-be",
  });
  expect(decodeUserComment(Buffer.concat([utf8("UNICODE\0"), utf16(text)]))).toEqual({ text, encoding: "unicode-le" });
});

test("an empty or very short comment is read as what it is", () => {
  expect(decodeUserComment(new Uint8Array(0))).toEqual({ text: "", encoding: "none-utf8" });
  expect(decodeUserComment(utf8("ASCII\0\0\0"))).toEqual({ text: "", encoding: "ascii" });
  expect(decodeUserComment(utf8("UNICODE\0")).text).toBe("");
});

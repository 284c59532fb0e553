// JSON that may hold pictures in base64. Parsing a hundred megabytes at once would stop everything else for a second, so the text is
// looked through as it arrives: a picture's text goes to the disk, decoded, and a short text stands in its place.

import { RequestError } from "../errors.ts";
import { TooLargeError } from "./errors.ts";
import { sizeText, type Upload, type Uploads } from "./uploads.ts";

/** Without pictures. 100,000 ids fit; parsing so much takes about 30 ms. */
export const textLimit = 8 * 2 ** 20;
/** From here on a text that can be base64 is taken for a picture; no prompt of this length is without a space. */
const pictureFrom = 32 * 2 ** 10;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export async function readJson(
  chunks: AsyncIterable<Uint8Array>,
  uploads: Uploads,
  limit = textLimit,
): Promise<unknown> {
  const splitter = new PictureSplitter(uploads, limit);
  for await (const chunk of chunks) await splitter.take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
  return parse(await splitter.end());
}

function parse(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RequestError(`The request's body is not JSON: ${(error as Error).message}.`, { cause: error });
  }
}

class PictureSplitter {
  readonly #uploads: Uploads;
  readonly #limit: number;
  readonly #text: Buffer[] = [];
  #length = 0;
  /** What came of the text between quotes that is open now; undefined outside of texts. */
  #string: Buffer[] | undefined;
  #stringLength = 0;
  #escaped = false;
  /** It is long, and no picture. */
  #isText = false;
  #picture: Base64Picture | undefined;

  constructor(uploads: Uploads, limit: number) {
    this.#uploads = uploads;
    this.#limit = limit;
  }

  async take(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      at = this.#string ? await this.#inside(chunk, at) : this.#outside(chunk, at);
    }
  }

  async end(): Promise<string> {
    if (this.#string) throw new RequestError("The request's body is not JSON: it ends within a text.");
    return Buffer.concat(this.#text).toString("utf8");
  }

  /** Up to the next text, its quote included. */
  #outside(chunk: Buffer, at: number): number {
    const quote = chunk.indexOf(QUOTE, at);
    const end = quote < 0 ? chunk.length : quote + 1;
    this.#keep(chunk.subarray(at, end));
    if (quote >= 0) {
      this.#string = [];
      this.#stringLength = 0;
      this.#isText = false;
    }
    return end;
  }

  /** Up to the text's end, or the chunk's. */
  async #inside(chunk: Buffer, at: number): Promise<number> {
    const quote = this.#closing(chunk, at);
    const end = quote < 0 ? chunk.length : quote;
    await this.#takeString(chunk.subarray(at, end));
    if (quote < 0) return end;
    await this.#close();
    this.#keep(chunk.subarray(quote, quote + 1));
    return quote + 1;
  }

  /** Where the quote stands that ends the text; -1 where it is not in this chunk. */
  #closing(chunk: Buffer, from: number): number {
    let at = from + Number(this.#escaped);
    for (; at < chunk.length; at++) {
      if (chunk[at] === QUOTE) break;
      if (chunk[at] === BACKSLASH) at++;
    }
    this.#escaped = at > chunk.length; // what is escaped comes with the next chunk
    return at < chunk.length ? at : -1;
  }

  async #takeString(part: Buffer): Promise<void> {
    if (this.#picture) return this.#picture.write(part);
    this.#string!.push(part);
    this.#stringLength += part.length;
    if (this.#length + this.#stringLength > this.#limit) throw this.#tooLong();
    if (this.#isText || this.#stringLength < pictureFrom) return;
    const start = Buffer.concat(this.#string!);
    this.#isText = !looksLikeBase64(start);
    if (this.#isText) return;
    this.#picture = new Base64Picture(await this.#uploads.open());
    await this.#picture.write(start);
  }

  async #close(): Promise<void> {
    if (this.#picture) this.#keep(Buffer.from(await this.#picture.end()));
    else for (const part of this.#string!) this.#keep(part);
    this.#picture = undefined;
    this.#string = undefined;
  }

  #keep(part: Buffer): void {
    this.#text.push(part);
    this.#length += part.length;
    if (this.#length > this.#limit) throw this.#tooLong();
  }

  #tooLong = () =>
    new TooLargeError(`The request's JSON is longer than ${sizeText(this.#limit)}, pictures in base64 not counted.`, {
      hint: "Ask for fewer things at once; base64 with line breaks in it counts as text.",
    });
}

const dataUrl = /^data:[\w.+-]+\/[\w.+-]+;base64,/;
const looksLikeBase64 = (start: Buffer) => /^[A-Za-z0-9+/_-]+=*$/.test(start.toString("latin1").replace(dataUrl, ""));

/** The bytes of a short one, which stays in the JSON. */
export const bytesOfBase64 = (text: string): Buffer => Buffer.from(text.replace(dataUrl, ""), "base64");

/** Base64 to bytes in pieces: four letters are three bytes, so what is left of a piece waits for the next. */
class Base64Picture {
  readonly #upload: Upload;
  #rest = "";
  #begun = false;

  constructor(upload: Upload) {
    this.#upload = upload;
  }

  async write(part: Buffer): Promise<void> {
    const text = part.toString("latin1");
    const letters = this.#rest + (this.#begun ? text : text.replace(dataUrl, "")).replace(/[^A-Za-z0-9+/_-]/g, "");
    this.#begun = true;
    const whole = letters.length - (letters.length % 4);
    this.#rest = letters.slice(whole);
    if (whole > 0) await this.#upload.write(Buffer.from(letters.slice(0, whole), "base64"));
  }

  /** The text that stands for the picture. */
  async end(): Promise<string> {
    if (this.#rest) await this.#upload.write(Buffer.from(this.#rest, "base64"));
    await this.#upload.end();
    return this.#upload.text;
  }
}

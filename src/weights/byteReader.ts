// Numbers and strings out of bytes, each read checked against the end.
import { WeightError } from "../errors.ts";

export class ByteReader {
  position: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly where: string;

  /** `where` begins every message. */
  constructor(bytes: Uint8Array, position: number, where: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = position;
    this.where = where;
  }

  error(why: string, hint = "Download the file again from its publisher."): WeightError {
    return new WeightError(`${this.where} ${why} (at byte ${this.position}).`, { hint });
  }

  checkLeft(length: number): void {
    if (length <= this.bytes.length - this.position) return;
    throw new EndedEarly(
      `${this.where} ends after ${this.bytes.length} bytes, in the middle: the download or copy broke off.`,
    );
  }

  byte(): number {
    return this.view.getUint8(this.advance(1));
  }

  u16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  i32(): number {
    return this.view.getInt32(this.advance(4), true);
  }

  /** As a number: one that is too large for that is larger than any file, and fails where it is used. */
  u64(): number {
    return Number(this.view.getBigUint64(this.advance(8), true));
  }

  /** Python's pickles have floats, and only them, most significant byte first. */
  f64(): number {
    return this.view.getFloat64(this.advance(8), false);
  }

  take(length: number): Uint8Array {
    const start = this.advance(length);
    return this.bytes.slice(start, start + length);
  }

  utf8(length: number): string {
    const bytes = this.take(length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw this.error("has a string that is not UTF-8");
    }
  }

  latin1(length: number): string {
    return Buffer.from(this.take(length)).toString("latin1");
  }

  /** Up to the next newline, which is dropped. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) this.checkLeft(Number.POSITIVE_INFINITY);
    const line = this.latin1(end - this.position);
    this.position += 1;
    return line;
  }

  private advance(length: number): number {
    this.checkLeft(length);
    const start = this.position;
    this.position += length;
    return start;
  }
}

/** The bytes ended where more were wanted: a reader of a prefix may fetch more of the file and try again. */
export class EndedEarly extends WeightError {
  constructor(message: string) {
    super(message, { hint: "Download the file again." });
  }
}

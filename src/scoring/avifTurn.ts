// How libheif has turned an AVIF picture while decoding it, so that it can be turned back: Pillow ignores the two boxes
// that say so (ISO/IEC 23008-12, sections 6.5.10 "irot" and 6.5.12 "imir").

/** Quarter turns clockwise that undo the picture's own, after a mirror that undoes its own. */
export interface Turn {
  quarters: number;
  mirror: "top-bottom" | "left-right" | undefined;
}

/** The boxes lie in the header, before any pixel. */
const HEADER_BYTES = 64 * 1024;

export function avifTurn(bytes: Uint8Array): Turn {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEADER_BYTES));
  const properties = header.indexOf("ipco", 0, "latin1");
  const rotation = byteAfter(header, properties, "\0\0\0\x09irot");
  const axis = byteAfter(header, properties, "\0\0\0\x09imir");
  return {
    quarters: (rotation ?? 0) & 3, // the box counts anticlockwise: as many clockwise undo it
    mirror: axis === undefined ? undefined : axis & 1 ? "left-right" : "top-bottom",
  };
}

/** The byte that follows a box's size and name. */
function byteAfter(header: Buffer, from: number, box: string): number | undefined {
  const at = from < 0 ? -1 : header.indexOf(box, from, "latin1");
  return at < 0 ? undefined : header[at + box.length];
}

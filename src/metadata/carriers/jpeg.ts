// JPEG: text in EXIF and XMP (both APP1, told apart by their first bytes) and in COM segments (ITU-T T.81, B.1 and B.2.4).
// Segments up to the first scan are read; everything from there on is the picture and is never touched.

import { MetadataError } from "../../errors.ts";
import {
  CarrierList,
  concat,
  decodeText,
  encodeLatin1,
  encodeUtf8,
  type Found,
  latin1,
  splitExif,
  startsWith,
  viewOf,
  withoutNulls,
} from "./bytes.ts";
import type { Edit, Format, ImageFormat, ReadResult } from "./carrier.ts";
import { type Plan, planEdits, refuse, signedReason } from "./edits.ts";
import { isMpf, withFirstImageGrown } from "./mpf.ts";
import { addUserComment, newExif, readExif, replaceTags } from "./tiff.ts";

const markers = { app0: 0xe0, app1: 0xe1, app2: 0xe2, app11: 0xeb, comment: 0xfe, scan: 0xda, end: 0xd9 } as const;
const xmpPrefix = "http://ns.adobe.com/xap/1.0/\0";
const maxSegmentData = 65_533; // a segment's two length bytes count themselves

interface Segment {
  marker: number;
  data: Uint8Array;
  whole: Uint8Array; // with marker, fill bytes before it, and length
}

interface Layout {
  segments: Segment[];
  /** From the first scan to the end of the file, with whatever follows the picture. */
  scans: Uint8Array;
  damage: string[];
}

type List = CarrierList<Segment>;

export const jpeg: Format = {
  read: (bytes, format) => read(bytes, format).result,
  edit,
  pixels: (bytes) => {
    const { segments, scans } = layoutOf(bytes);
    return [...segments.filter((segment) => !isText(segment)).map((segment) => segment.whole), scans];
  },
};

const isExif = ({ marker, data }: Segment) => marker === markers.app1 && startsWith(data, "Exif\0\0");
const isText = (segment: Segment) => isExif(segment) || segment.marker === markers.comment || isMpfSegment(segment);
const isMpfSegment = ({ marker, data }: Segment) => marker === markers.app2 && isMpf(data);

function layoutOf(bytes: Uint8Array): Layout {
  const layout: Layout = { segments: [], scans: bytes.subarray(bytes.length), damage: [] };
  let at = 2; // after SOI
  while (true) {
    const segment = segmentAt(bytes, at, layout.damage);
    if (!segment) return layout;
    if (segment.marker === markers.scan) break;
    layout.segments.push(segment);
    at += segment.whole.length;
  }
  layout.scans = bytes.subarray(at);
  if (!hasEnd(layout.scans)) layout.damage.push("The file ends before its picture does.");
  return layout;
}

/** The segment at an offset; undefined, with the reason in `damage`, where there is no whole one. */
function segmentAt(bytes: Uint8Array, at: number, damage: string[]): Segment | undefined {
  let mark = at;
  while (bytes[mark] === 0xff && bytes[mark + 1] === 0xff) mark++; // fill bytes (B.1.1.2)
  if (mark + 4 > bytes.length) return void damage.push("The file ends before its picture begins.");
  if (bytes[mark] !== 0xff) return void damage.push(`What should be a segment at byte ${at} has no marker.`);
  const marker = bytes[mark + 1]!;
  const length = viewOf(bytes).getUint16(mark + 2);
  const end = mark + 2 + length;
  if (length < 2 || end > bytes.length) {
    return void damage.push(
      `The segment at byte ${at} claims ${length} bytes, and the file has ${bytes.length - mark - 2}.`,
    );
  }
  return { marker, data: bytes.subarray(mark + 4, end), whole: bytes.subarray(at, end) };
}

/** Walks the scans to the end marker; segments between scans are skipped by their length. */
function hasEnd(scans: Uint8Array): boolean {
  let at = 0;
  while (true) {
    at = scans.indexOf(0xff, at);
    const marker = at < 0 ? undefined : scans[at + 1];
    if (marker === undefined) return false;
    if (marker === markers.end) return true;
    if (marker === 0xff) at += 1;
    else if (marker <= 1 || (marker >= 0xd0 && marker <= 0xd7)) at += 2;
    else if (at + 4 > scans.length) return false;
    else at += 2 + viewOf(scans).getUint16(at + 2);
  }
}

function read(bytes: Uint8Array, format: ImageFormat) {
  const layout = layoutOf(bytes);
  const list: List = new CarrierList();
  for (const segment of layout.segments) readSegment(segment, list);
  const result: ReadResult = {
    format,
    ...sizeOf(layout),
    carriers: list.plain(),
    warnings: [...layout.damage, ...list.warnings],
    signed: layout.segments.some(isSignature) ? "c2pa" : undefined,
  };
  return { result, layout, list };
}

function readSegment(segment: Segment, list: List): void {
  const { marker, data } = segment;
  if (marker === markers.comment) {
    list.add({ kind: "comment", keyword: "Comment", ...decodeText(withoutNulls(data)) }, data.length, segment);
  } else if (isExif(segment)) {
    const { found, warnings } = readExif(splitExif(data).tiff);
    for (const { size, ...carrier } of found) list.add(carrier, size, segment);
    list.warnings.push(...warnings);
  } else if (marker === markers.app1 && startsWith(data, xmpPrefix)) {
    const value = data.subarray(xmpPrefix.length);
    list.add({ kind: "xmp", keyword: "XML:com.adobe.xmp", ...decodeText(value) }, value.length, segment);
  }
}

/** The height and width in the frame header: C0 to CF without DHT, JPG and DAC. */
function sizeOf({ segments }: Layout): { width?: number; height?: number } {
  const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
  const frame = segments.find(({ marker, data }) => isFrame(marker) && data.length >= 5);
  if (!frame) return {};
  return { height: viewOf(frame.data).getUint16(1), width: viewOf(frame.data).getUint16(3) };
}

/** A JUMBF box of C2PA: APP11 segments begin with JP, and the manifest store's label is c2pa. */
function isSignature({ marker, data }: Segment): boolean {
  return marker === markers.app11 && startsWith(data, "JP") && latin1(data, 0, 256).includes("c2pa");
}

function edit(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const { layout, list, result } = read(bytes, "jpeg");
  refuse([...layout.damage, ...(result.signed ? [signedReason] : [])]);
  const plan = planEdits(list.carriers, edits);
  if (plan.texts.length > 0) {
    throw new MetadataError(`A JPEG file has no place for a text named "${plan.texts[0]!.keyword}".`, {
      hint: "Add a UserComment, or write a sidecar file beside the image.",
    });
  }
  const pieces = layout.segments.map((segment) => editedSegment(segment, plan));
  if (plan.comment !== undefined) addComment(layout, pieces, plan.comment);
  keepMpf(layout, pieces);
  return concat([bytes.subarray(0, 2), ...pieces, layout.scans]);
}

function editedSegment(segment: Segment, { replaced }: Plan<List["carriers"][number]>): Uint8Array {
  const changes = [...replaced].filter(([carrier]) => carrier.place === segment);
  if (changes.length === 0) return segment.whole;
  if (isExif(segment)) return segmentOf(markers.app1, replaceTags(segment.data, changes));
  const [carrier, text] = changes[0]!; // a COM segment is one carrier
  if (carrier.kind === "xmp") throw new MetadataError("XMP in JPEG files is read but not rewritten.");
  return segmentOf(markers.comment, encodeComment(carrier, text));
}

const encodeComment = ({ encoding }: Found, text: string) =>
  (encoding === "utf-8" ? undefined : encodeLatin1(text)) ?? encodeUtf8(text);

/** Into the EXIF that is there; else in a segment of its own after APP0, which JFIF wants first. */
function addComment({ segments }: Layout, pieces: Uint8Array[], text: string): void {
  const exif = segments.findIndex(isExif);
  if (exif >= 0) {
    pieces[exif] = segmentOf(markers.app1, addUserComment(segments[exif]!.data, text));
    return;
  }
  const afterApp0 = segments.findIndex((segment) => segment.marker !== markers.app0);
  pieces.splice(Math.max(0, afterApp0), 0, segmentOf(markers.app1, newExif(text, "Exif\0\0")));
}

/** A multi-picture index has the first picture's length and, from its own place, the others' offsets. */
function keepMpf({ segments }: Layout, pieces: Uint8Array[]): void {
  const index = segments.findIndex(isMpfSegment);
  if (index < 0) return;
  const length = (parts: readonly Uint8Array[]) => parts.reduce((sum, part) => sum + part.length, 0);
  const mpf = pieces.indexOf(segments[index]!.whole);
  const after = segments.slice(index).map((segment) => segment.whole);
  if (length(pieces.slice(mpf)) !== length(after)) {
    refuse(["Its text lies after the index of a multi-picture file, whose offsets would become wrong."]);
  }
  const grown = length(pieces.slice(0, mpf)) - length(segments.slice(0, index).map((segment) => segment.whole));
  pieces[mpf] = withFirstImageGrown(pieces[mpf]!, grown);
}

function segmentOf(marker: number, data: Uint8Array): Uint8Array {
  if (data.length > maxSegmentData) {
    throw new MetadataError(
      `The text would need a JPEG segment of ${data.length} bytes, and ${maxSegmentData} is the most one can have ` +
        "(65,527 bytes of EXIF).",
      { hint: "Shorten the text, or write a sidecar file beside the image." },
    );
  }
  const length = data.length + 2;
  return concat([Uint8Array.of(0xff, marker, length >> 8, length & 0xff), data]);
}

// What each host's file says, read from its carriers: one file per host, each giving a Reading or null for "not mine".
import type { Carrier } from "../carriers/carrier.ts";
import { asNumber, type Json, type JsonObject } from "../json.ts";

export interface Reading {
  host: string;
  prompt: string | null;
  negativePrompt: string | null;
  seed: number | bigint | null;
  settings: Map<string, string | number>;
  scores: Map<string, number>;
  infotext?: string;
  /** ComfyUI's graph that ran, as it stands in the file. */
  graph?: JsonObject;
  warnings?: string[];
}

export type Dialect = (texts: Texts) => Reading | null;

/** A file's carriers by keyword. Of several with one keyword the last counts, as in Pillow and so in every Python host. */
export class Texts {
  readonly carriers: readonly Carrier[];

  constructor(carriers: readonly Carrier[]) {
    this.carriers = carriers;
  }

  /** A PNG's text chunk by its keyword. */
  chunk(...keywords: string[]): string | undefined {
    return this.last((carrier) => TEXT_KINDS.has(carrier.kind) && keywords.includes(carrier.keyword));
  }

  exif(tag: string): string | undefined {
    return this.last((carrier) => carrier.kind === "exif" && carrier.keyword === tag);
  }

  comment(): string | undefined {
    return this.last((carrier) => carrier.kind === "comment");
  }

  xmp(): string | undefined {
    return this.last((carrier) => carrier.kind === "xmp" || carrier.keyword === "XML:com.adobe.xmp");
  }

  /** The chunk `parameters`; in other letter cases only where there is none. */
  parameters(): string | undefined {
    const isParameters = ({ kind, keyword }: Carrier) => TEXT_KINDS.has(kind) && keyword.toLowerCase() === "parameters";
    return this.chunk("parameters") ?? this.last(isParameters);
  }

  /** Where A1111 and those who follow it put their text, in the order in which A1111 and Forge let one win over the other (images.py:789). */
  main(): string[] {
    const exif = this.exif("UserComment");
    const comment = exif === undefined ? this.comment() : undefined;
    return [exif, this.parameters(), comment].filter((text) => text !== undefined && text.trim() !== "") as string[];
  }

  private last(matches: (carrier: Carrier) => boolean): string | undefined {
    return this.carriers.findLast(matches)?.text;
  }
}

const TEXT_KINDS = new Set<Carrier["kind"]>(["tEXt", "zTXt", "iTXt", "comf", "stealth"]);

export function reading(host: string, parts: Partial<Omit<Reading, "host">> = {}): Reading {
  return { host, prompt: null, negativePrompt: null, seed: null, settings: new Map(), scores: new Map(), ...parts };
}

/** A whole number in any spelling; a bigint only where a number would lose digits. */
export function seedOf(value: Json | undefined): number | bigint | null {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isFinite(value) ? Math.trunc(value) : null;
  if (typeof value !== "string" || !/^\s*-?\d{1,30}\s*$/.test(value)) return null;
  const exact = BigInt(value.trim());
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
}

/** The host's own names for what infotext has a name for: [its name, infotext's name]. */
export type Names = readonly (readonly [string, string])[];

/** Settings under infotext's names, in the order of the table; what is missing, empty or no plain value is left out. */
export function settingsFrom(source: JsonObject, names: Names): Map<string, string | number> {
  const settings = new Map<string, string | number>();
  for (const [own, name] of names) {
    const value = source[own];
    if (typeof value === "number" || (typeof value === "string" && value !== "")) settings.set(name, value);
  }
  return settings;
}

/** "Size" as infotext has it. */
export function setSize(
  settings: Map<string, string | number>,
  width: Json | undefined,
  height: Json | undefined,
): void {
  const [w, h] = [asNumber(width), asNumber(height)];
  if (w !== null && h !== null) settings.set("Size", `${w}x${h}`);
}

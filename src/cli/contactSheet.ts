// Small pictures side by side, each with a line below it. The letters are drawn here: a machine without fonts has the same sheet.

import sharp from "sharp";

export interface Cell {
  /** 8-bit RGB, side x side. */
  readonly pixels: Uint8Array;
  readonly label: string;
  readonly kept: boolean;
}

/** Three columns and five rows of dots for each letter, row by row. */
const glyphs: Record<string, string> = {
  "0": "###|#.#|#.#|#.#|###",
  "1": ".#.|##.|.#.|.#.|###",
  "2": "###|..#|###|#..|###",
  "3": "###|..#|.##|..#|###",
  "4": "#.#|#.#|###|..#|..#",
  "5": "###|#..|###|..#|###",
  "6": "###|#..|###|#.#|###",
  "7": "###|..#|.#.|.#.|.#.",
  "8": "###|#.#|###|#.#|###",
  "9": "###|#.#|###|..#|###",
  "-": "...|...|###|...|...",
  ".": "...|...|...|...|.#.",
  "#": "#.#|###|#.#|###|#.#",
  " ": "...|...|...|...|...",
};

const zoom = 2; // a picture's pixel on the sheet
const dot = 3; // a letter's dot on the sheet
const margin = 12;
const labelHeight = 5 * dot + margin;

type Colour = readonly [number, number, number];
const ground: Colour = [246, 246, 244];
const keptColour: Colour = [22, 120, 62];
const otherColour: Colour = [150, 60, 50];

/** A PNG of the cells, in rows of `columns`. */
export async function contactSheet(cells: readonly Cell[], side: number, columns: number): Promise<Buffer> {
  const cell = side * zoom + margin;
  const width = columns * cell + margin;
  const height = Math.ceil(cells.length / columns) * (cell + labelHeight) + margin;
  const sheet = new Sheet(width, height);
  for (const [index, { pixels, label, kept }] of cells.entries()) {
    const x = margin + (index % columns) * cell;
    const y = margin + Math.floor(index / columns) * (cell + labelHeight);
    const colour = kept ? keptColour : otherColour;
    sheet.fill(x - 2, y - 2, side * zoom + 4, side * zoom + 4, colour);
    sheet.picture(pixels, side, x, y);
    sheet.text(label, x, y + side * zoom + 8, colour);
  }
  return await sharp(sheet.data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

class Sheet {
  readonly data: Uint8Array;
  readonly #width: number;

  constructor(width: number, height: number) {
    this.#width = width;
    this.data = new Uint8Array(width * height * 3);
    this.fill(0, 0, width, height, ground);
  }

  fill(x: number, y: number, width: number, height: number, colour: Colour): void {
    for (let row = y; row < y + height; row += 1)
      for (let column = x; column < x + width; column += 1) this.data.set(colour, 3 * (row * this.#width + column));
  }

  picture(pixels: Uint8Array, side: number, x: number, y: number): void {
    for (let pixel = 0; pixel < side * side; pixel += 1) {
      const [r, g, b] = pixels.subarray(3 * pixel, 3 * pixel + 3) as unknown as [number, number, number];
      this.fill(x + (pixel % side) * zoom, y + Math.floor(pixel / side) * zoom, zoom, zoom, [r, g, b]);
    }
  }

  text(text: string, x: number, y: number, colour: Colour): void {
    for (const [place, letter] of [...text].entries()) {
      for (const [row, dots] of (glyphs[letter] ?? glyphs[" "]!).split("|").entries())
        for (const [column, mark] of [...dots].entries())
          if (mark === "#") this.fill(x + (4 * place + column) * dot, y + row * dot, dot, dot, colour);
    }
  }
}

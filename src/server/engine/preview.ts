// A small picture to look at while the work goes on.

import sharp from "sharp";
import { type Rounding, toBytes } from "../../reno/resultFile.ts";

interface Pixels {
  /** [3, H, W], 0..1 */
  readonly pixels: Float32Array;
  readonly width: number;
  readonly height: number;
}

const largestSide = 768;

export const previewOf = ({ pixels, width, height }: Pixels, rounding: Rounding): Promise<Buffer> =>
  sharp(toBytes(pixels, rounding), { raw: { width, height, channels: 3 } })
    .resize({ width: largestSide, height: largestSide, fit: "inside", withoutEnlargement: true })
    .jpeg({ quality: 88, chromaSubsampling: "4:4:4" })
    .toBuffer();

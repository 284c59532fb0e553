// The picture as ImageReward's vision tower wants it: ImageReward.py, _transform (c1392c6), which is torchvision's
// Resize(n, BICUBIC), CenterCrop(n), convert("RGB"), ToTensor, Normalize. Resizing comes before the conversion, in Pillow's own
// mode: converting first differs by up to 243 of 255.

import { roundHalfEven } from "../graph/index.ts";
import { bandsOf, type DecodedImage, toRgb } from "./decode.ts";
import {
  premultiply,
  type Raster,
  resizeBicubic,
  resizeNearest,
  type Size,
  unpremultiply,
  type Window,
} from "./pilResize.ts";

/** CLIP's, which BLIP took over. */
export const MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
export const STD = [0.26862954, 0.26130258, 0.27577711] as const;

/** torchvision's Resize: the shorter side becomes `side`, the longer is cut off to a whole number. */
export function resizedSize({ width, height }: Size, side: number): Size {
  return width <= height
    ? { width: side, height: Math.trunc((side * height) / width) }
    : { width: Math.trunc((side * width) / height), height: side };
}

/** torchvision's CenterCrop. */
export function centerWindow({ width, height }: Size, side: number): Window {
  return {
    left: roundHalfEven((width - side) / 2),
    top: roundHalfEven((height - side) / 2),
    width: side,
    height: side,
  };
}

/** Image.resize in each mode: palettes and bits by nearest neighbour, colours that carry alpha premultiplied. */
function resizeAsPillow({ mode, ...picture }: DecodedImage, side: number): Raster {
  const source = { ...picture, bands: bandsOf(mode) };
  const to = resizedSize(source, side);
  const window = centerWindow(to, side);
  const same = to.width === source.width && to.height === source.height; // Image.resize copies then, hidden colours too
  if (mode === "P" || mode === "1") return resizeNearest(source, to, window);
  if ((mode === "LA" || mode === "RGBA") && !same) {
    return unpremultiply(resizeBicubic(premultiply(source), to, window));
  }
  return resizeBicubic(source, to, window);
}

/** RGB bytes, side x side, before they are normalised. */
export function pixelsForScoring(image: DecodedImage, side: number): Uint8Array {
  const { data } = resizeAsPillow(image, side);
  return toRgb({ mode: image.mode, width: side, height: side, data });
}

/** ToTensor and Normalize in float32, one step after the other as torch does: 256 values for each channel. */
const NORMALIZED = MEAN.map((mean, channel) =>
  Float32Array.from({ length: 256 }, (_, value) => {
    const centered = Math.fround(Math.fround(value / 255) - Math.fround(mean));
    return centered / Math.fround(STD[channel]!);
  }),
);

/** [3, side, side], channel by channel. */
export function preprocess(image: DecodedImage, side: number): Float32Array {
  const pixels = pixelsForScoring(image, side);
  const area = side * side;
  const planes = new Float32Array(3 * area);
  NORMALIZED.forEach((normalized, channel) => {
    for (let i = 0; i < area; i++) planes[channel * area + i] = normalized[pixels[3 * i + channel]!]!;
  });
  return planes;
}

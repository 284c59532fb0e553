// The curves of a training as a picture: SVG, drawn to PNG by sharp.

import sharp from "sharp";

export interface Curve {
  label: string;
  colour: string;
  points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  title: string;
  xLabel: string;
  curves: readonly Curve[];
  /** Where the vertical axis ends. */
  low: number;
  high: number;
  /** Where the curves' names begin, as a share of the width: at the right unless given. */
  legend?: number;
}

const [width, height] = [900, 420];
const margin = { left: 60, right: 20, top: 50, bottom: 50 };
const gridLines = 5;
const legendTop = height / 2 - 20; // curves of shares and losses end near the top and the bottom

export function plotSvg({ title, xLabel, curves, low, high, legend = 0.78 }: Plot): string {
  const last = Math.max(1, ...curves.flatMap(({ points }) => points.map(([x]) => x)));
  const across = (x: number) => margin.left + (x / last) * (width - margin.left - margin.right);
  const up = (y: number) => {
    const share = (Math.min(high, Math.max(low, y)) - low) / (high - low);
    return height - margin.bottom - share * (height - margin.top - margin.bottom);
  };
  const steps = Array.from({ length: gridLines + 1 }, (_, i) => i / gridLines);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="13" fill="#333">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text(margin.left, 24, title, `font-size="16"`),
    ...steps.map((share) => gridLine(up(low + share * (high - low)), (low + share * (high - low)).toFixed(2))),
    ...steps.map((share) =>
      text(across(share * last), height - margin.bottom + 18, `${Math.round(share * last)}`, middle),
    ),
    text(width / 2, height - 10, xLabel, middle),
    ...curves.map(({ colour, points }) => {
      const path = points.map(([x, y]) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`).join(" ");
      return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
    }),
    ...curves.map(({ label, colour }, i) => text(legend * width, legendTop + 18 * i, label, `fill="${colour}"`)),
    "</svg>",
  ].join("\n");
}

const middle = `text-anchor="middle"`;

const escaped = (words: string) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;");

const text = (x: number, y: number, words: string, style = "") =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${style}>${escaped(words)}</text>`;

const gridLine = (y: number, label: string) =>
  `<line x1="${margin.left}" x2="${width - margin.right}" y1="${y}" y2="${y}" stroke="#ddd"/>` +
  text(margin.left - 8, y + 4, label, `text-anchor="end"`);

export const plotPng = (plot: Plot): Promise<Buffer> =>
  sharp(Buffer.from(plotSvg(plot)))
    .png()
    .toBuffer();

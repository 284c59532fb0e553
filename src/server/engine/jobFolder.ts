// Where what a job makes lies in its folder.

import { join } from "node:path";

export const traceFile = (folder: string): string => join(folder, "trace.json");
export const resultFile = (folder: string): string => join(folder, "result.png");
export const beforeFile = (folder: string): string => join(folder, "before.png");
export const pictureFile = (folder: string, index: number): string => join(folder, `${index}.png`);
export const previewFile = (folder: string, step: number): string => join(folder, "steps", `${step}.jpg`);
/** A step's noise as float32, little-endian: what its picture can be drawn from again. */
export const noiseFile = (folder: string, step: number): string => join(folder, "steps", `${step}.noise`);

/** Of longer runs the later steps are kept only where they are the best so far. */
export const isKept = ({ step, best }: { readonly step: number; readonly best?: boolean | undefined }): boolean =>
  step < 1_000 || best === true;

export type { ImageMetadata, WriteOptions, WriteResult } from "./imageMetadata.ts";
export { appendScores, formatInfotext, hasParameterLine, type Infotext, readInfotext } from "./infotext.ts";
export { readMetadata, writeScores } from "./metadata.ts";
export { scoreKey, scoreText } from "./scoreNames.ts";

export type { ImageMetadata, WriteOptions, WriteResult } from "./imageMetadata.ts";
export {
  appendScores,
  formatInfotext,
  hasParameterLine,
  type Infotext,
  readInfotext,
  setParameters,
} from "./infotext.ts";
export { readBareInfotext, readMetadata, withScores, writeScores } from "./metadata.ts";
export { scoreKey, scoreText } from "./scoreNames.ts";
export { infotextWithScores } from "./scorePlan.ts";

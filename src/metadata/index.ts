export type { ImageMetadata, WriteOptions, WriteResult } from "./imageMetadata.ts";

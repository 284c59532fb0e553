// What an image file says about its own making, in one shape for every host.
import type { JsonObject } from "./json.ts";

/** Names in `settings` are infotext's ("Steps", "Sampler", "CFG scale", "Size", "Model"), whatever the host calls them itself. */
export interface ImageMetadata {
  /** The file's format by its bytes, not by its name. */
  format: string;
  /** Who wrote it: "a1111", "forge", "sdnext", "comfyui", "invokeai", "swarmui", "fooocus", "novelai", "drawthings", ...; null: nobody says. */
  host: string | null;
  prompt: string | null;
  negativePrompt: string | null;
  /** A bigint only where a number would lose digits: ComfyUI's seeds have 64 bits. */
  seed: number | bigint | null;
  /** The picture's own size, which upscaling may have moved away from settings.Size. */
  width?: number;
  height?: number;
  settings: Record<string, string | number>;
  /** By reward, without the word " Score": { ImageReward: 0.5812 }. Other tools' scores keep their own keys ("aesthetic_score", "Score"). */
  scores: Record<string, number>;
  /** The whole text in A1111's form, where the file has one. */
  infotext: string | null;
  /** ComfyUI's graph that ran: what only the picture's re-making needs. */
  graph?: JsonObject;
  carriers: { kind: string; keyword: string; bytes?: number }[];
  /** Whole sentences on what is odd: stale scores, damaged chunks, several answers. */
  warnings: string[];
}

export interface WriteOptions {
  /** The weights that gave the scores, for Renoir's own record. */
  model?: string;
  /** Leave the file's modification time as it is. */
  keepTimes?: boolean;
}

/** `file` is the one that holds the scores (a sidecar has its own name); `written` is false when it held just these already. */
export interface WriteResult {
  file: string;
  written: boolean;
  /** The chunks or tags that hold the scores, or the sidecar's kind. */
  carrier: string;
  /** What could not be kept, such as a hard link. */
  warnings: string[];
}

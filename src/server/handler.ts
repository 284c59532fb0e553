// A route's handler as a value: from what it uses to a function of a parsed request. It parses nothing and catches nothing.

import { createHash } from "node:crypto";
import type { Response } from "express";
import type { OperationName } from "./api/operations.ts";
import type { Asked } from "./asked.ts";
import type { Services } from "./services.ts";

/** Gives the reply's JSON, or a function that sends what is no JSON. */
export type Handler<N extends OperationName> = (
  services: Services,
) => (asked: Asked<N>) => object | Send | Promise<object | Send>;

/** Writes an answer that is no JSON: a file, a stream. */
export type Send = (response: Response) => void | Promise<void>;

export const isSend = (reply: object | Send): reply is Send => typeof reply === "function";

/** How long browsers keep what they are sent. */
const caching = {
  /** The address changes with the file. */
  forever: "private, max-age=31536000, immutable",
  /** Asked for anew each time; the ETag says whether it is still the same. */
  checked: "private, no-cache",
} as const;

/** A file of ours. Whatever its bytes are, a browser takes it for nothing but a picture, and runs nothing in it. */
export const sendFile =
  (path: string, { keep, type }: { keep: keyof typeof caching; type?: string }): Send =>
  (response) => {
    response.set({ "Cache-Control": caching[keep], "Content-Security-Policy": "default-src 'none'; sandbox" });
    if (type) response.type(type);
    // Of what never changes the name is enough; its date tells when it was last used.
    if (keep === "forever") response.set("ETag", `"${createHash("sha256").update(path).digest("base64url")}"`);
    return new Promise((resolve, reject) => {
      // dotfiles: the data folder itself may lie below ~/.local
      response.sendFile(path, { dotfiles: "allow", cacheControl: false }, (error) => {
        if (!error || response.headersSent)
          resolve(); // who asked has gone in the middle
        else reject(error);
      });
    });
  };

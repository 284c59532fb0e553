// The library: pictures in folders.

import { pipeline } from "node:stream/promises";
import { type Handler, sendFile } from "../handler.ts";

/** GET /library */
export const page: Handler<"library"> =
  ({ library }) =>
  ({ query }) =>
    library.page(query);

/** GET /library/:id */
export const picture: Handler<"picture"> =
  ({ library }) =>
  ({ params }) =>
    library.picture(params.id!);

/** GET /library/:id/file: the path is looked at again, since a link may have been put in its place. */
export const file: Handler<"file"> =
  ({ library }) =>
  async ({ params }) =>
    sendFile(await library.within(library.fileOf(params.id!)), { keep: "checked" });

/** GET /library/:id/thumbnail: its address has the file's version in it, and so may be kept. */
export const thumbnail: Handler<"thumbnail"> =
  ({ library }) =>
  async ({ params }) => {
    const { path } = await library.thumbnail(params.id!);
    return sendFile(path, { keep: "forever", type: "image/webp" });
  };

/** GET /library/histogram */
export const histogram: Handler<"histogram"> =
  ({ library }) =>
  ({ query }) =>
    library.histogram(query);

/** GET /library/facets */
export const facets: Handler<"facets"> =
  ({ library }) =>
  () =>
    library.facets();

/** GET /library/export: row by row, at the pace of who reads it. */
export const exportRows: Handler<"exportLibrary"> =
  ({ library }) =>
  ({ query, signal }) =>
  (response) => {
    response.type(query.format === "csv" ? "text/csv; charset=utf-8" : "application/json; charset=utf-8");
    response.attachment(`renoir-library.${query.format}`);
    // Who stops reading in the middle has what they wanted.
    return pipeline(library.exportRows(query), response).catch((error) => {
      if (!signal.aborted) throw error;
    });
  };

/** PATCH /library */
export const change: Handler<"changeLibrary"> =
  ({ library }) =>
  ({ body }) =>
    library.change(body);

/** DELETE /library */
export const remove: Handler<"deletePictures"> =
  ({ library }) =>
  ({ body }) =>
    library.delete(body);

/** POST /library/undo */
export const undo: Handler<"undo"> =
  ({ library }) =>
  ({ body }) =>
    library.undo(body.operation);

/** GET /library/operations */
export const operations: Handler<"operations"> =
  ({ library }) =>
  () => ({ items: library.operations() });

/** GET /library/folders */
export const folders: Handler<"folders"> =
  ({ library }) =>
  () => ({ items: library.folders() });

/** POST /library/folders: the folder's pictures come with its scan, which is a job. */
export const addFolder: Handler<"addFolder"> =
  ({ library, jobs }) =>
  async ({ body, client }) => {
    await library.addFolder(body.path, body.watch);
    const { id } = await jobs.start("scan", { folders: [body.path] }, { client });
    return { id };
  };

/** DELETE /library/folders */
export const removeFolder: Handler<"removeFolder"> =
  ({ library }) =>
  async ({ body }) => {
    await library.removeFolder(body.path);
    return { items: library.folders() };
  };

/** POST /library/scan */
export const scan: Handler<"scan"> =
  ({ jobs }) =>
  async ({ client }) => {
    const { id } = await jobs.start("scan", {}, { client });
    return { id };
  };

/** POST /library/score */
export const rescore: Handler<"rescore"> =
  ({ jobs }) =>
  async ({ body, client }) => {
    const { id } = await jobs.start("score", body, { client });
    return { id };
  };

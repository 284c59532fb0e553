// What takes longer than a request: begun here, followed on the socket or by asking again.

import { NotFoundError } from "../errors.ts";
import { type Handler, sendFile } from "../handler.ts";
import { findPicture } from "../pictures.ts";

/** POST /refine: answers at once with the job's id; a picture that was sent stays with the job. */
export const refine: Handler<"refine"> =
  (services) =>
  async ({ body, uploads, client }) => {
    const { image, ...request } = body;
    const source = typeof image === "object" && "id" in image ? image.id : undefined;
    const path = image && (await findPicture(image, services, uploads));
    const isSent = typeof image === "string";
    const picture = path === undefined ? {} : isSent ? { upload: path } : { image: path };
    const job = await services.jobs.start("refine", { ...request, ...picture }, { client, ...(source && { source }) });
    return { id: job.id };
  };

/** POST /generate */
export const generate: Handler<"generate"> =
  ({ jobs }) =>
  async ({ body, client }) => {
    const { id } = await jobs.start("generate", body, { client });
    return { id };
  };

/** GET /jobs */
export const list: Handler<"jobs"> =
  ({ jobs }) =>
  () => ({ items: jobs.list() });

/** GET /jobs/:id */
export const get: Handler<"job"> =
  ({ jobs }) =>
  ({ params }) =>
    jobs.get(params.id!);

/** DELETE /jobs/:id */
export const cancel: Handler<"cancelJob"> =
  ({ jobs }) =>
  ({ params }) =>
    jobs.cancel(params.id!);

/** GET /jobs/:id/steps/:step/preview */
export const preview: Handler<"jobPreview"> =
  ({ jobs }) =>
  ({ params }) => {
    if (!/^\d{1,6}$/.test(params.step!))
      throw new NotFoundError(`There is no step "${params.step}": steps are numbers.`);
    return sendFile(jobs.preview(params.id!, Number(params.step)), { keep: "checked", type: "image/jpeg" });
  };

/** GET /jobs/:id/pictures/:name */
export const picture: Handler<"jobPicture"> =
  ({ jobs }) =>
  ({ params }) => {
    if (!/^[\w-]+\.png$/.test(params.name!)) throw new NotFoundError(`A job has no picture "${params.name}".`);
    return sendFile(jobs.picture(params.id!, params.name!), { keep: "checked", type: "image/png" });
  };

/** POST /jobs/:id/keep */
export const keep: Handler<"keepJob"> =
  ({ jobs }) =>
  ({ params, body }) =>
    jobs.keep(params.id!, body);

/** POST /jobs/:id/discard */
export const discard: Handler<"discardJob"> =
  ({ jobs }) =>
  async ({ params }) => {
    await jobs.discard(params.id!);
    return {};
  };

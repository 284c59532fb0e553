// Models: which there are, and which of them are in memory.

import { RequestError } from "../../errors.ts";
import { sourceOf } from "../../scoring/sources.ts";
import { removeStored } from "../../scoring/store.ts";
import { addModel } from "../../tasks/models.ts";
import type { Handler } from "../handler.ts";
import type { Services } from "../services.ts";

/** GET /models */
export const list: Handler<"models"> = (services) => async () => listOf(services);

const listOf = async ({ models, engine }: Services) => ({ items: await models.list(engine), engine: engine.state() });

/** POST /models */
export const add: Handler<"addModel"> =
  ({ models, engine, settings, home }) =>
  async ({ body }) => {
    const { name } = await addModel(body.name, body.path, home);
    await settings.refresh();
    engine.emit("models");
    return models.get(name, engine);
  };

/** DELETE /models/:name */
export const remove: Handler<"removeModel"> =
  (services) =>
  async ({ params, query: { kind } }) => {
    const { models, engine, settings, home } = services;
    const { name, memory, builtIn } = await models.get(params.name!, engine, kind);
    if (builtIn) throw new RequestError(`"${name}" is built in, and stays.`);
    if (memory !== "unloaded") await engine.unload(name, kind);
    await removeStored(name, home);
    await settings.refresh();
    engine.emit("models");
    return listOf(services);
  };

/** POST /models/:name/load */
export const load: Handler<"loadModel"> =
  ({ models, engine }) =>
  async ({ params, query: { kind } }) => {
    const { name } = await models.get(params.name!, engine, kind);
    await engine.load(name, kind);
    return models.get(name, engine, kind);
  };

/** POST /models/:name/unload */
export const unload: Handler<"unloadModel"> =
  ({ models, engine }) =>
  async ({ params, query: { kind } }) => {
    const { name } = await models.get(params.name!, engine, kind);
    await engine.unload(name, kind);
    return models.get(name, engine, kind);
  };

/** POST /models/:name/pull */
export const pull: Handler<"pullModel"> =
  ({ models, engine, jobs }) =>
  async ({ params, client }) => {
    const { name } = await models.get(params.name!, engine);
    sourceOf(name); // says at once what can not be fetched
    const { id } = await jobs.start("pull", { name }, { client });
    return { id };
  };

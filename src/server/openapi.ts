// The API's description (OpenAPI 3.1), made from the schemas that the routes parse by: it can not say anything else than they do.

import { z } from "zod";
import { anyError, type Operation, operations } from "./api/operations.ts";

const json = (schema: object) => ({ "application/json": { schema } });

const file = { type: "string", format: "binary" };

/** How bodies that hold pictures may come besides JSON: as a form, whose other fields are the same, or as the picture itself. */
const form = (schema: ObjectSchema, files: object) => ({
  "multipart/form-data": { schema: { type: "object", properties: { ...schema.properties, ...files } } },
});
const pictureForms: Readonly<Record<string, (schema: ObjectSchema) => object>> = {
  score: (schema) => form(schema, { images: { type: "array", items: file } }),
  refine: (schema) => form(schema, { image: file }),
  info: (schema) => ({
    ...form(schema, { image: file }),
    "image/*": { schema: file },
    "application/octet-stream": { schema: file },
  }),
};

export function openApi(version: string, base: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [name, operation] of Object.entries(operations) as [string, Operation][]) {
    const path = operation.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [operation.method]: describe(name, operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Renoir",
      version,
      description: "Scores, sorts, filters and refines generated images, on your own machine.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: base }],
    paths,
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    security: [{}, { token: [] }],
  };
}

function describe(name: string, { summary, tag, path, query, body, answers }: Operation): object {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  return {
    operationId: name,
    summary,
    tags: [tag],
    parameters: [...inPath, ...(query ? inQuery(query) : [])],
    ...(body && { requestBody: { required: true, content: contentOf(name, schemaOf(body, "input")) } }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, described(answer)])),
      default: { description: "What went wrong", content: json(schemaOf(anyError, "output")) },
    },
  };
}

const contentOf = (name: string, schema: ObjectSchema) => ({ ...json(schema), ...pictureForms[name]?.(schema) });

const described = (answer: z.ZodType | string) =>
  typeof answer === "string"
    ? { description: answer, content: { [answer]: { schema: file } } }
    : { description: "Done", content: json(schemaOf(answer, "output")) };

interface ObjectSchema {
  readonly properties?: Record<string, { description?: string; default?: unknown }>;
}

/** As parsed: a list is a parameter that comes several times. What has a default need not be given. */
function inQuery(query: z.ZodType): object[] {
  const { properties = {} } = schemaOf(query, "output");
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    required: false,
    ...(description && { description }),
    schema,
  }));
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): ObjectSchema {
  const { $schema: _, ...made } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return made as ObjectSchema;
}

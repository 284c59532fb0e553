// What a request asks, by the schemas of its operation: the one place where strangers' input becomes values that the rest may trust.

import type { Request } from "express";
import { z } from "zod";
import { RequestError } from "../errors.ts";
import type { Operation, OperationName, operations } from "./api/operations.ts";
import { MediaTypeError } from "./errors.ts";
import { readJson } from "./jsonBody.ts";
import { readForm } from "./multipart.ts";
import type { Uploads } from "./uploads.ts";

type Output<T> = T extends z.ZodType ? z.output<T> : undefined;
type Field<N extends OperationName, K extends string> =
  (typeof operations)[N] extends Record<K, infer T> ? Output<T> : undefined;

/** A request, parsed. */
export interface Asked<N extends OperationName> {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Field<N, "query">;
  readonly body: Field<N, "body">;
  /** The pictures that came with it; they go when it is answered. */
  readonly uploads: Uploads;
  /** Who asks, for fairness. */
  readonly client: string;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** Where a picture may come as more than JSON. */
const forms: Readonly<Partial<Record<OperationName, readonly ("multipart" | "bytes")[]>>> = {
  score: ["multipart"],
  refine: ["multipart"],
  info: ["multipart", "bytes"],
};

const pathValue = z.string().min(1).max(200);

export async function parseRequest(name: OperationName, operation: Operation, request: Request, uploads: Uploads) {
  const params = Object.fromEntries(
    Object.entries(request.params).map(([key, value]) => [key, parse(pathValue, value, `the path's ${key}`)]),
  );
  const query = operation.query && parse(operation.query, queryOf(request), "the query");
  const body = operation.body && parse(operation.body, (await readBody(name, request, uploads)) ?? {}, "the body");
  return { params, query, body };
}

/** Every value a text, or a list where a name comes several times: nothing is nested, whatever the names look like. */
function queryOf(request: Request): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of new URL(request.url, "http://x").searchParams) {
    const before = query[name];
    query[name] = before === undefined ? value : [before, value].flat();
  }
  return { ...query };
}

async function readBody(name: OperationName, request: Request, uploads: Uploads): Promise<unknown> {
  if (!hasBody(request)) return undefined;
  const encoding = request.headers["content-encoding"];
  if (encoding && encoding !== "identity") throw new MediaTypeError(`Bodies encoded as ${encoding} are not taken.`);
  if (request.is("application/json")) return await readJson(chunksOf(request), uploads);
  const allowed = forms[name] ?? [];
  if (allowed.includes("multipart") && request.is("multipart/form-data")) return await readForm(request, uploads);
  if (allowed.includes("bytes") && request.is(["image/*", "application/octet-stream"])) {
    return { image: await readBytes(request, uploads) };
  }
  throw wrongType(request, allowed);
}

const hasBody = ({ headers }: Request) =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** Ending early must leave the connection open: the reply goes over it. */
const chunksOf = (request: Request): AsyncIterable<Uint8Array> => request.iterator({ destroyOnReturn: false });

async function readBytes(request: Request, uploads: Uploads): Promise<string> {
  const upload = await uploads.open();
  for await (const chunk of chunksOf(request)) await upload.write(chunk);
  await upload.end();
  return upload.text;
}

function wrongType(request: Request, allowed: readonly string[]): MediaTypeError {
  const wanted = [
    "application/json",
    ...(allowed.includes("multipart") ? ["multipart/form-data"] : []),
    ...(allowed.includes("bytes") ? ["a picture's own type"] : []),
  ];
  const given = request.headers["content-type"] ?? "none";
  return new MediaTypeError(`The body's content type is ${given.split(";")[0]}; wanted is ${wanted.join(" or ")}.`, {
    hint: "Say it in the header Content-Type.",
  });
}

// ---- schemas

export function parse<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [first, ...more] = parsed.error.issues.map((issue) => sentence(issue, where));
  throw new RequestError([first, ...more.slice(0, 2)].join(" "), { hint: "See /docs for what each route takes." });
}

/** "iterations of the body: Too big: expected number to be <=10000." */
function sentence(issue: z.core.$ZodIssue, where: string): string {
  const { message } = deepest(issue);
  const path = [...issue.path, ...(deepest(issue) === issue ? [] : deepest(issue).path)].join(".");
  return `${path ? `"${path}" of ${where}` : capital(where)}: ${message.replace(/\.$/, "")}.`;
}

/** Of the ways that a value could have been right, the one that came nearest says more than "Invalid input". */
function deepest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== "invalid_union") return issue;
  const nearest = [...issue.errors].sort((a, b) => (b[0]?.path.length ?? 0) - (a[0]?.path.length ?? 0))[0]?.[0];
  return nearest ? deepest(nearest) : issue;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

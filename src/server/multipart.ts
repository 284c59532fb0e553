// multipart/form-data, as forms and curl -F send it: files, and fields that are texts, numbers or JSON.

import type { Request } from "express";
import multer, { type MulterError, type StorageEngine } from "multer";
import { RequestError } from "../errors.ts";
import { TooLargeError } from "./errors.ts";
import type { Uploads } from "./uploads.ts";

/** How a field's text becomes what the schema wants; a list is JSON, or a field given several times. */
const readers: Readonly<Record<string, (texts: string[]) => unknown>> = {
  prompts: list,
  rewards: list,
  infotexts: list,
  observe: list,
  min: number,
  max: number,
  guidance: number,
  width: number,
  height: number,
  iterations: number,
  learningRate: number,
  gradientClip: number,
  regularization: number,
  patience: number,
};

function list(texts: string[]): unknown {
  const [only] = texts;
  return texts.length === 1 && only!.trimStart().startsWith("[") ? json(only!) : texts;
}

function number([text]: string[]): unknown {
  return text!.trim() === "" ? text : Number(text);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // the schema says what was wanted
  }
}

/** The names under which files come: several, or the only one. */
const fileFields = [{ name: "images" }, { name: "image", maxCount: 1 }];

const limits = { files: 256, fields: 1024, fieldSize: 2 ** 20, fieldNameSize: 100, parts: 1280, headerPairs: 50 };

/** The form as the JSON that would say the same; files stand before what fields name as images. */
export async function readForm(request: Request, uploads: Uploads): Promise<Record<string, unknown>> {
  await receive(request, uploads);
  const files = (request.files ?? {}) as Record<string, Express.Multer.File[]>;
  const form: Record<string, unknown> = {};
  for (const [name, value] of Object.entries((request.body ?? {}) as Record<string, string | string[]>)) {
    const texts = [value].flat();
    if (texts.some((text) => typeof text !== "string"))
      throw new RequestError(`The form's field "${name}" is no text.`);
    form[name] = name === "images" || name === "image" ? texts.map(source) : (readers[name]?.(texts) ?? texts[0]);
  }
  const tokens = (name: string) => (files[name] ?? []).map(({ filename }) => filename);
  const images = [...tokens("images"), ...((form.images as unknown[]) ?? [])].flat();
  const image = [...tokens("image"), ...((form.image as unknown[]) ?? [])];
  return { ...form, ...(images.length > 0 && { images }), ...(image.length > 0 && { image: image[0] }) };
}

/** { "id": ... } and { "path": ... } are JSON; anything else is base64. */
const source = (text: string) => (/^\s*[[{]/.test(text) ? json(text) : text);

function receive(request: Request, uploads: Uploads): Promise<void> {
  const take = multer({ storage: storageOf(uploads), limits }).fields(fileFields);
  return new Promise((resolve, reject) => {
    take(request, undefined as never, (error?: unknown) => (error ? reject(asOurs(error as Error)) : resolve()));
  });
}

const storageOf = (uploads: Uploads): StorageEngine => ({
  _handleFile(_request, file, done) {
    store(uploads, file.stream).then(
      (filename) => done(null, { filename }),
      (error) => done(error),
    );
  },
  _removeFile(_request, _file, done) {
    done(null); // all of the request's files go at its end
  },
});

async function store(uploads: Uploads, stream: AsyncIterable<Buffer>): Promise<string> {
  const upload = await uploads.open();
  for await (const chunk of stream) await upload.write(chunk);
  await upload.end();
  return upload.text;
}

function asOurs(error: Error): Error {
  const { name, code, field } = error as MulterError;
  const where = field ? ` (field "${field}")` : "";
  if (name === "MulterError" && code.startsWith("LIMIT_") && code !== "LIMIT_UNEXPECTED_FILE") {
    return new TooLargeError(`The form can not be taken${where}: ${error.message}.`);
  }
  if (name === "MulterError" || error.message.startsWith("Multipart") || /form|boundary/i.test(error.message)) {
    const hint = "Send files in fields named images, or one named image.";
    return new RequestError(`The form can not be read${where}: ${error.message}.`, { hint, cause: error });
  }
  return error;
}

// ComfyUI as its API shows it: pictures in, graphs run, files out.

export interface Node {
  readonly class_type: string;
  readonly inputs: Record<string, unknown>;
}

export type Graph = Record<string, Node>;

export interface SavedPicture {
  readonly filename: string;
  readonly subfolder: string;
  readonly type: string;
}

export interface Scored {
  readonly scores: Record<string, number>;
  readonly total: number | null;
  readonly error: string | null;
}

export interface Run {
  readonly status: { status_str: string; completed: boolean; messages: [string, Record<string, unknown>][] };
  readonly outputs: Record<string, { images?: SavedPicture[]; renoir?: Scored[]; renoir_note?: (string | null)[] }>;
}

export const node = (class_type: string, inputs: Record<string, unknown>): Node => ({ class_type, inputs });

export class ComfyUI {
  readonly url: string;
  constructor(url: string) {
    this.url = url;
  }

  async json<T>(path: string, body?: unknown): Promise<T> {
    const sent =
      body === undefined
        ? {}
        : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
    const answer = await fetch(`${this.url}${path}`, sent);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  async upload(name: string, bytes: Uint8Array): Promise<void> {
    const form = new FormData();
    form.append("image", new Blob([Uint8Array.from(bytes)], { type: "image/png" }), name);
    form.append("overwrite", "true");
    await fetch(`${this.url}/upload/image`, { method: "POST", body: form });
  }

  async queue(prompt: Graph, workflow: unknown = { nodes: [] }): Promise<string> {
    const { prompt_id } = await this.json<{ prompt_id: string }>("/prompt", {
      prompt,
      extra_data: { extra_pnginfo: { workflow } },
    });
    return prompt_id;
  }

  async run(prompt: Graph, workflow?: unknown): Promise<Run> {
    return await this.ended(await this.queue(prompt, workflow));
  }

  async ended(id: string): Promise<Run> {
    for (;;) {
      const history = await this.json<Record<string, Run>>(`/history/${id}`);
      if (history[id]) return history[id];
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  async checkpoints(): Promise<string[]> {
    const info = await this.json<Record<string, { input: { required: { ckpt_name: [string[]] } } }>>(
      "/object_info/CheckpointLoaderSimple",
    );
    return info.CheckpointLoaderSimple!.input.required.ckpt_name[0];
  }

  /** What a node said when it failed; undefined where none did. */
  failure({ status }: Run): string | undefined {
    return status.messages.find(([kind]) => kind === "execution_error")?.[1].exception_message as string | undefined;
  }

  async file({ filename, subfolder, type }: SavedPicture): Promise<Uint8Array> {
    const query = new URLSearchParams({ filename, subfolder, type });
    return new Uint8Array(await (await fetch(`${this.url}/view?${query}`)).arrayBuffer());
  }
}

/** All text chunks of a PNG as their whole bytes, by keyword. */
export function textChunks(bytes: Uint8Array): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  const view = Buffer.from(bytes);
  for (let at = 8; at < view.length; ) {
    const length = view.readUInt32BE(at);
    const type = view.toString("latin1", at + 4, at + 8);
    const data = view.subarray(at + 8, at + 8 + length);
    if (type === "tEXt" || type === "iTXt")
      found.set(data.toString("latin1", 0, data.indexOf(0)), view.subarray(at, at + length + 12));
    at += length + 12;
  }
  return found;
}

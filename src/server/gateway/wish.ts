// What a generation's request wants of Renoir: its entry alwayson_scripts.renoir, else what the server's settings say.

import { type ExtensionSettings, type Given, readSettings, settingsList } from "../../extension/settings.ts";
import { setInJson } from "../../metadata/jsonEdit.ts";
import type { Settings } from "../api/system.ts";

/** What A1111's always-on scripts are called by, lower-cased as there. */
export const scriptName = "renoir";

export interface Wish {
  readonly settings: ExtensionSettings;
  /** Whether the request itself has asked. */
  readonly asked: boolean;
  /** The request without that entry, every other byte as it was. */
  readonly without: string;
  /** The request with that entry as a plugin takes it. */
  readonly as: string;
}

interface Generation {
  readonly alwayson_scripts?: Record<string, { readonly args?: Given } & Record<string, unknown>>;
}

/** undefined where nothing is to be done, or the body is no generation's: then it goes on as it is. */
export function readWish(body: Buffer, defaults: Settings["gateway"]): Wish | undefined {
  if (!defaults.enabled && !mentions(body)) return undefined;
  const text = body.toString("utf8");
  const parsed = parse(text);
  if (!parsed) return undefined;
  const scripts = parsed.alwayson_scripts ?? {};
  const name = Object.keys(scripts).find((key) => key.toLowerCase() === scriptName);
  if (name === undefined) return { settings: readSettings({}, defaults), asked: false, without: text, as: text };
  const { [name]: entry, ...others } = scripts;
  const settings = settingsOf(entry ?? {}, defaults);
  const write = (value: object) => setInJson(text, ["alwayson_scripts"], JSON.stringify(value));
  return {
    settings,
    asked: true,
    without: write(others),
    as: write({ ...others, [name]: { args: settingsList(settings) } }),
  };
}

/** Looked for before a body that may hold large pictures is parsed. */
const mentions = (body: Buffer) => ["renoir", "Renoir", "RENOIR"].some((name) => body.includes(`"${name}"`));

function parse(text: string): Generation | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined; // the upstream will say what is wrong with it
  }
}

/** Values by place in `args`, by key in `args`, or by key beside it. Who names keys means it, unless `enabled` says no. */
function settingsOf({ args, ...keys }: { args?: Given }, defaults: Settings["gateway"]): ExtensionSettings {
  if (Array.isArray(args)) return readSettings(args, defaults);
  return readSettings({ enabled: true, ...keys, ...args }, defaults);
}

// The extension's settings, from whatever a host or a program gives: too few of them, numbers as text, a choice by its label.

import { manifest, type Setting } from "./manifest.ts";

export interface ExtensionSettings {
  readonly enabled: boolean;
  /** "" for the server's own. */
  readonly rewards: string;
  readonly filter: boolean;
  readonly limit: number;
  readonly sort: boolean;
  readonly filtered: string;
  readonly address: string;
}

export type Given = readonly unknown[] | Readonly<Record<string, unknown>>;

/** By place as in hosts' `args`, or by key; what is missing or makes no sense is as in `defaults`, else as in the manifest. */
export function readSettings(given: Given, defaults: Partial<ExtensionSettings> = {}): ExtensionSettings {
  const before = defaults as Record<string, unknown>;
  const entries = manifest.settings.map((setting, index) => {
    const value = Array.isArray(given) ? given[index] : (given as Record<string, unknown>)[setting.key];
    return [setting.key, coerced(setting, value) ?? coerced(setting, before[setting.key]) ?? setting.default];
  });
  return Object.fromEntries(entries) as ExtensionSettings;
}

/** In the order of hosts' `args`. */
export const settingsList = (settings: ExtensionSettings): unknown[] =>
  manifest.settings.map(({ key }) => settings[key as keyof ExtensionSettings]);

function coerced(setting: Setting, value: unknown): boolean | number | string | undefined {
  if (value === undefined || value === null) return undefined;
  if (setting.type === "boolean") return typeof value === "string" ? /^(true|1|yes|on)$/i.test(value.trim()) : !!value;
  if (setting.type === "text") return String(value).trim();
  if (setting.type === "choice") {
    return setting.choices.find((choice) => value === choice.value || value === choice.label)?.value;
  }
  const number = typeof value === "string" && value.trim() === "" ? Number.NaN : Number(value);
  return Number.isNaN(number) ? undefined : Math.min(Math.max(number, setting.minimum), setting.maximum);
}

import type { Config } from './config.js';
import { SETTINGS, type Settings } from './settings.js';

/** A setting as an administrator sees it. */
export interface ShownSetting {
  name: string;
  /** Null when there is none, and of a secret. */
  value: string | null;
  default: string | null;
  /** Whether the value is another than the default. */
  isSet: boolean;
  isSecret: boolean;
  description: string;
}

const SECRET = /(SECRET|PASSWORD|KEY|HEADER)S?$/;

/** All settings, in the order of the page; no secret, and no URL with the user and the password that are in it. */
export function shownSettings(config: Config): ShownSetting[] {
  const names = Object.keys(SETTINGS.shape) as (keyof Settings)[];
  return names.map((name) => {
    const schema = SETTINGS.shape[name];
    const isSecret = SECRET.test(name);
    const preset = shown(schema.safeParse(undefined).data);
    const value = isSecret ? null : shown(config.settings[name]);
    return { name, value, default: preset, isSet: isSecret || value !== preset, isSecret, description: schema.description ?? '' };
  });
}

function shown(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.length === 0 ? null : value.map(withoutCredentials).join(',');
  return withoutCredentials(value);
}

function withoutCredentials(value: unknown): string {
  const text = String(value);
  if (!text.includes('://')) return text;
  if (!URL.canParse(text)) return '…';
  const url = new URL(text);
  const hidden = [...url.searchParams.keys()].filter((name) => /pass|secret|token|key/i.test(name));
  if (hidden.length === 0 && url.username === '' && url.password === '') return text;
  for (const name of hidden) url.searchParams.delete(name);
  url.username = '';
  url.password = '';
  return url.href;
}

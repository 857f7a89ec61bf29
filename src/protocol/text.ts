import { LIMITS } from './limits.js';

/**
 * What a string or a `meta` object must be, in one place for socket and REST.
 * Each check returns what is wrong in words for the caller, or null.
 * PostgreSQL can store neither U+0000 nor a lone surrogate.
 */

export function textProblem(value: unknown, min: number, max: number): string | null {
  if (typeof value !== 'string') return 'must be a string';
  if (value.length < min) return min === 1 ? 'must not be empty' : `must have at least ${min} characters`;
  if (value.length > max) return `must have at most ${max} characters`;
  return unstorable(value);
}

/** An edit must change something. */
export function editProblem(edit: { text?: unknown; meta?: unknown }): string | null {
  return edit.text === undefined && edit.meta === undefined ? 'text or meta must be given' : null;
}

/** A plain object of at most `metaBytes` encoded in UTF-8, and `metaDepth` levels, itself being the first. */
export function metaProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object';
  return contentProblem(value) ?? sizeProblem(value);
}

function unstorable(value: string): string | null {
  if (value.includes('\u0000')) return 'must not contain U+0000';
  if (!value.isWellFormed()) return 'must not contain a lone surrogate';
  return null;
}

// Depth first, since JSON.stringify overflows the stack on what JSON.parse accepts.
function contentProblem(meta: object): string | null {
  let level: object[] = [meta];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > LIMITS.metaDepth) return `must nest at most ${LIMITS.metaDepth} levels`;
    const next: object[] = [];
    for (const container of level) {
      for (const [key, value] of Object.entries(container)) {
        // Code that merges objects carelessly, here or at a client, would change every object by it.
        if (key === '__proto__') return 'must not have a key __proto__';
        const problem = unstorable(key) ?? (typeof value === 'string' ? unstorable(value) : null);
        if (problem) return problem;
        if (typeof value === 'object' && value !== null) next.push(value as object);
      }
    }
    level = next;
  }
  return null;
}

function sizeProblem(meta: object): string | null {
  return Buffer.byteLength(JSON.stringify(meta)) > LIMITS.metaBytes ? `must be at most ${LIMITS.metaBytes} bytes` : null;
}

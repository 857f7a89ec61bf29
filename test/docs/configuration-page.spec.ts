import { describe, expect, it } from '@jest/globals';
import { SETTINGS } from '../../src/config/settings.js';
import { RATE_LIMITS } from '../../src/errors/rate-limit-headers.js';
import { tableOf, unquoted } from './markdown-table.js';

describe('docs/configuration.md', () => {
  it('lists every setting with its default and its description, and no other', () => {
    const known = Object.entries(SETTINGS.shape).map(([setting, schema]) => {
      const preset = schema.safeParse(undefined).data;
      return { setting, default: preset === undefined ? '' : String(preset), what: schema.description };
    });
    const listed = tableOf('docs/configuration.md', 'setting').map((row) => ({
      setting: unquoted(row['setting']!),
      default: unquoted(row['default']!),
      what: row['what'],
    }));
    expect(listed).toEqual(known);
  });

  it('lists every limit that answers name, and no other', () => {
    const listed = tableOf('docs/configuration.md', 'limit').map((row) => [unquoted(row['limit']!), row['what it holds']]);
    expect(listed).toEqual(Object.entries(RATE_LIMITS));
  });
});

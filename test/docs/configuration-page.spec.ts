import { describe, expect, it } from '@jest/globals';
import { SETTINGS } from '../../src/config/config.js';
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
});

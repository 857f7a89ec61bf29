import { describe, expect, it } from '@jest/globals';
import { Config, ConfigError, loadSettings, SETTINGS } from './config.js';

const provided = { databaseUrl: 'postgres://x', jwtSecret: 'y' };

describe('settings', () => {
  it('are all optional, and an empty value counts as not set', () => {
    const empty = Object.fromEntries(Object.keys(SETTINGS.shape).map((name) => [name, '']));
    expect(loadSettings(empty)).toEqual(loadSettings({}));
    expect(loadSettings({})).toMatchObject({ PORT: 3000, DATA_DIR: './data', LIMITS: true, ALLOWED_ORIGINS: [] });
  });

  it('are each described', () => {
    for (const [name, schema] of Object.entries(SETTINGS.shape))
      expect([name, schema.description]).toEqual([name, expect.stringMatching(/\.$/)]);
  });

  it('become one frozen object that lacks none of them', () => {
    const config = new Config(loadSettings({ ALLOWED_ORIGINS: ' https://a.example, ,https://b.example' }), provided);
    expect(config.allowedOrigins).toEqual(['https://a.example', 'https://b.example']);
    const camel = (name: string) => name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    expect(Object.keys(config).sort()).toEqual(Object.keys(SETTINGS.shape).map(camel).sort());
    expect(Object.isFrozen(config) && Object.isFrozen(config.allowedOrigins)).toBe(true);
  });

  it.each([
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['DATABASE_URL', 'localhost'],
    ['LIMITS', 'maybe'],
    ['LOG_LEVEL', 'loud'],
    ['REDIS_URL', 'localhost:6379'],
    ['REDIS_URL', 'redis://one:6379,redis://two:6379'],
    ['REDIS_PREFIX', 'a b'],
    ['WEB_CONCURRENCY', '2'],
    ['DATABASE_POOL', '1'],
    ['JWT_SECRET', 'x'.repeat(31)],
    ['JWT_SECRET', 'ab'.repeat(32)],
  ])('refuse %s=%s by name, without the value', (name, value) => {
    expect(() => loadSettings({ [name]: value })).toThrow(ConfigError);
    expect(() => loadSettings({ [name]: value })).toThrow(new RegExp(`^${name}: (?!.*${value})`));
  });

  it('name every one that is wrong', () => {
    expect(() => loadSettings({ PORT: 'a', DRAIN_MS: 'b' })).toThrow(/^PORT: .+\nDRAIN_MS: /);
  });
});

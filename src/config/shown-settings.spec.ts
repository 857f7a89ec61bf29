import { describe, expect, it } from '@jest/globals';
import { Config } from './config.js';
import { loadSettings, SETTINGS } from './settings.js';
import { shownSettings } from './shown-settings.js';

const shown = (environment: Record<string, string>) => {
  const settings = loadSettings(environment);
  const provided = {
    databaseUrl: settings.DATABASE_URL ?? 'postgres://own:made@localhost/parley',
    jwtSecrets: ['made-made-made-made-made-made-made'],
  };
  return new Map(shownSettings(new Config(settings, provided)).map((setting) => [setting.name, setting]));
};

describe('shown settings', () => {
  it('are all, each with a value that the server has', () => {
    const all = shown({});
    expect([...all.keys()]).toEqual(Object.keys(SETTINGS.shape));
    for (const { name, value, default: preset, isSecret, description } of all.values()) {
      expect([name, description]).toEqual([name, expect.stringMatching(/\w/)]);
      // What has a default has a value: no setting is looked for under a wrong name.
      if (preset !== null && !isSecret) expect([name, value]).toEqual([name, preset]);
    }
  });

  it.each([
    ['DATABASE_URL', 'postgres://ada:hunter2@db.example:5432/parley?sslmode=require', 'postgres://db.example:5432/parley?sslmode=require'],
    ['DATABASE_URL', 'postgres://db.example/parley?user=ada&password=hunter2', 'postgres://db.example/parley?user=ada'],
    ['DATABASE_URL', 'postgres://ada:hunter2@one:5432,two:5432/parley', '…'],
    ['REDIS_URL', 'rediss://:hunter2@redis.example:6380/1', 'rediss://redis.example:6380/1'],
    ['ALLOWED_ORIGINS', 'https://a.example,https://b.example', 'https://a.example,https://b.example'],
  ])('%s=%s is shown as %s', (name, given, value) => {
    expect(shown({ [name]: given }).get(name)).toMatchObject({ value, isSet: true });
  });

  it('leave out secrets, set or made', () => {
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20hunter2' };
    for (const environment of [{}, { JWT_SECRET: 'hunter2-hunter2-hunter2-hunter2-0123', ...headers }] as Record<string, string>[]) {
      const all = shown(environment);
      expect(all.get('JWT_SECRET')).toMatchObject({ value: null, isSecret: true, isSet: true });
      expect(JSON.stringify([...all.values()])).not.toMatch(/hunter2|made-made|own:made/);
    }
  });
});

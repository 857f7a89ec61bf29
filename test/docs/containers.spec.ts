import { describe, expect, it } from '@jest/globals';
import { load } from 'js-yaml';
import { readFileSync } from 'node:fs';
import { loadSettings, SETTINGS } from '../../src/config/config.js';

interface Service {
  image?: string;
  build?: string;
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  volumes?: string[];
  ports?: string[];
  stop_grace_period?: string;
}

const compose = load(readFileSync('docker-compose.yml', 'utf8')) as { services: Record<string, Service>; volumes: Record<string, unknown> };
const dockerfile = readFileSync('Dockerfile', 'utf8');
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string; optionalDependencies: Record<string, string> };

/** What compose makes of `${NAME:-default}` and `${NAME:?message}`. */
function interpolated(value: string, environment: Record<string, string>): string {
  return value.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_, name: string, kind: string, rest: string) => {
    const given = environment[name] ?? '';
    if (given === '' && kind === '?') throw new Error(rest);
    return given === '' ? rest : given;
  });
}

describe('docker-compose.yml', () => {
  it('has the server, PostgreSQL and Redis, each with a check of its health', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['postgres', 'redis', 'server']);
    for (const [name, { healthcheck }] of Object.entries(compose.services)) {
      if (name !== 'server') expect(healthcheck!.test[0]).toBe('CMD');
    }
    expect(dockerfile).toMatch(/^HEALTHCHECK [^]*\/health\/ready/m);
  });

  it('keeps data in volumes that it declares', () => {
    for (const { volumes = [] } of Object.values(compose.services)) {
      for (const volume of volumes) expect(compose.volumes).toHaveProperty(volume.split(':')[0]!);
    }
  });

  it('gives the server settings that exist, and that it starts with', () => {
    const { environment } = compose.services['server']!;
    const given = { JWT_SECRET: '0123456789abcdef0123456789abcdef', POSTGRES_PASSWORD: 'p' };
    for (const name of Object.keys(environment!)) expect(SETTINGS.shape).toHaveProperty(name);
    const set = Object.fromEntries(Object.entries(environment!).map(([name, value]) => [name, interpolated(value, given)]));
    expect(loadSettings(set)).toMatchObject({ DATABASE_URL: 'postgresql://parley:p@postgres:5432/parley', JWT_SECRET: given.JWT_SECRET });
  });

  it.each(['JWT_SECRET', 'POSTGRES_PASSWORD'])('has no %s of its own', (name) => {
    const uses = readFileSync('docker-compose.yml', 'utf8').match(new RegExp(`\\$\\{${name}[^}]*\\}`, 'g'))!;
    for (const use of uses) expect(() => interpolated(use, {})).toThrow();
  });

  it('lets the server drain before it is killed', () => {
    const graceMs = parseInt(compose.services['server']!.stop_grace_period!, 10) * 1_000;
    expect(graceMs).toBeGreaterThan(loadSettings({}).DRAIN_MS + 5_000);
  });

  it('names the image by the version of the package', () => {
    expect(compose.services['server']!.image).toBe(`parley:${manifest.version}`);
  });
});

describe('Dockerfile', () => {
  const stages = dockerfile.split(/^FROM /m).slice(1);
  const last = stages.at(-1)!;

  it('runs the build as an ordinary user, without npm in between', () => {
    expect(stages.length).toBeGreaterThan(1);
    expect(last).toMatch(/^USER node$/m);
    expect(last).toMatch(/^CMD \["node", "dist\/src\/main\.js"\]$/m);
    expect(last.indexOf('USER node')).toBeGreaterThan(last.lastIndexOf('\nRUN '));
  });

  it('carries production dependencies only, without the embedded PostgreSQL', () => {
    const dependencies = stages.find((stage) => stage.includes(' AS dependencies'))!;
    expect(dependencies).toContain('npm ci --ignore-scripts --omit=dev');
    for (const name of Object.keys(manifest.optionalDependencies)) expect(dependencies).toContain(`node_modules/${name}`);
    expect(last).toContain('COPY --from=dependencies /app/node_modules');
  });

  it('copies nothing that .dockerignore keeps out', () => {
    const allowed = readFileSync('.dockerignore', 'utf8')
      .match(/^!.*/gm)!
      .map((line) => line.slice(1));
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, sources]) => sources!.split(' '));
    expect(copied.filter((source) => !allowed.includes(source))).toEqual([]);
    expect(allowed.filter((source) => !copied.includes(source))).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { load } from 'js-yaml';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadSettings, SETTINGS } from '../../src/config/settings.js';
import { ERROR_CODES, TIMES } from '../../src/protocol/index.js';

interface Service {
  image?: string;
  build?: string;
  env_file?: { path: string; required: boolean }[];
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  volumes?: string[];
  ports?: string[];
  stop_grace_period?: string;
  depends_on?: string[] | Record<string, { condition: string }>;
}

const compose = load(readFileSync('docker-compose.yml', 'utf8')) as { services: Record<string, Service>; volumes: Record<string, unknown> };
const servers = Object.entries(compose.services).filter(([, { build }]) => build !== undefined);
const { balancer } = compose.services;
const haproxy = readFileSync('deploy/haproxy.cfg', 'utf8');
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
  it('has three servers behind a balancer, PostgreSQL and Redis, each with a check of its health', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['balancer', 'postgres', 'redis', 'server-1', 'server-2', 'server-3']);
    for (const [, { healthcheck, build }] of Object.entries(compose.services)) {
      if (build === undefined) expect(healthcheck!.test[0]).toBe('CMD');
    }
    expect(dockerfile).toMatch(/^HEALTHCHECK [^]*\/health\/ready/m);
  });

  it('publishes the balancer alone', () => {
    for (const [name, { ports }] of Object.entries(compose.services))
      expect([name, ports !== undefined]).toEqual([name, name === 'balancer']);
  });

  it('keeps data in volumes that it declares', () => {
    for (const { volumes = [] } of Object.values(compose.services)) {
      for (const volume of volumes) {
        const [source] = volume.split(':') as [string];
        if (source.startsWith('./')) expect(existsSync(source)).toBe(true);
        else expect(compose.volumes).toHaveProperty(source);
      }
    }
  });

  it.each(servers)('gives %s settings that exist, and that it starts with', (_, { environment, depends_on }) => {
    const given = { JWT_SECRET: '0123456789abcdef0123456789abcdef', POSTGRES_PASSWORD: 'p' };
    for (const name of Object.keys(environment!)) expect(SETTINGS.shape).toHaveProperty(name);
    const set = Object.fromEntries(Object.entries(environment!).map(([name, value]) => [name, interpolated(value, given)]));
    const settings = loadSettings(set);
    expect(settings).toMatchObject({ DATABASE_URL: 'postgresql://parley:p@postgres:5432/parley', JWT_SECRET: [given.JWT_SECRET] });
    expect(settings.REDIS_URL).toEqual(['redis://redis:6379']);
    for (const url of [settings.DATABASE_URL!, ...settings.REDIS_URL!]) expect(depends_on).toHaveProperty(new URL(url).hostname);
  });

  it.each(servers)('gives %s all that .env sets, but what belongs to this file', (_, { env_file, environment }) => {
    expect(env_file).toEqual([{ path: '.env', required: false }]);
    expect(environment).toMatchObject({ PORT: balancer!.ports![0]!.split(':').at(-1), DATA_DIR: /DATA_DIR=(\S+)/.exec(dockerfile)![1] });
  });

  it.each(['JWT_SECRET', 'POSTGRES_PASSWORD'])('has no %s of its own', (name) => {
    const uses = readFileSync('docker-compose.yml', 'utf8').match(new RegExp(`\\$\\{${name}[^}]*\\}`, 'g'))!;
    for (const use of uses) expect(() => interpolated(use, {})).toThrow();
  });

  it.each(servers)('lets %s drain before it is killed', (_, { stop_grace_period }) => {
    expect(secondsOf(stop_grace_period!) * 1_000).toBeGreaterThan(loadSettings({}).DRAIN_MS + 5_000);
  });

  it.each(servers)('names the image of %s by the version of the package', (_, { image }) => {
    expect(image).toBe(`parley:${manifest.version}`);
  });
});

describe('deploy/haproxy.cfg', () => {
  it('is what the balancer reads, and listens on the port that is published', () => {
    expect(balancer!.volumes).toEqual(['./deploy/haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro']);
    const inside = balancer!.ports!.map((port) => port.split(':').at(-1));
    expect([...haproxy.matchAll(/^ +bind :(\d+)$/gm)].map(([, port]) => port)).toEqual(inside);
  });

  it('names the servers of docker-compose.yml, at the port where they listen', () => {
    const named = [...haproxy.matchAll(/^ +server (\S+) (\S+)$/gm)].map(([, name, address]) => [name, address]);
    expect(named).toEqual(servers.map(([name]) => [name, `${name}:${loadSettings({}).PORT}`]));
    expect(balancer!.depends_on).toEqual(servers.map(([name]) => name));
  });

  it('sends new sockets to any server that is ready, and keeps the open ones of one that is not', () => {
    expect(haproxy).toMatch(/^ +balance leastconn$/m);
    expect(haproxy).toMatch(/^ +http-check send meth GET uri \/health\/ready /m);
    expect(haproxy).toMatch(/^ +http-check expect status 200$/m);
    expect(haproxy).toMatch(/^ +default-server check /m);
    expect(haproxy).not.toMatch(/^ *(cookie|stick|.*on-marked-down)/m);
  });

  it('holds a silent socket for longer than two pings take, and a request for longer than the server does', () => {
    const [tunnel, server] = ['tunnel', 'server'].map((name) => secondsOf(new RegExp(`^ +timeout ${name} (\\S+)`, 'm').exec(haproxy)![1]!));
    expect(tunnel! * 1_000).toBeGreaterThan(2.5 * TIMES.heartbeatMs);
    expect(server! * 1_000).toBeGreaterThan(10_000);
  });

  it('logs no query and no header', () => {
    expect(haproxy).toMatch(/^ +log-format .*%\[var\(txn\.path\)\]'$/m);
    expect(haproxy).not.toMatch(/%r|%HU|%HQ|%hr|%hs|option httplog|capture/);
  });

  it("refuses in the API's own form when no server is there", () => {
    for (const [, status, text] of haproxy.matchAll(/^ +http-error status (\d+) content-type application\/json string '(.*?)'/gm)) {
      const { code } = JSON.parse(text!) as { code: keyof typeof ERROR_CODES };
      expect(ERROR_CODES[code].status).toBe(Number(status));
    }
  });
});

/** Of compose's `20s` and HAProxy's `90s`. */
function secondsOf(text: string): number {
  expect(text).toMatch(/^\d+s$/);
  return parseInt(text, 10);
}

describe('Dockerfile', () => {
  const stages = dockerfile.split(/^FROM /m).slice(1);
  const last = stages.at(-1)!;
  /** What is copied into it from the checkout. */
  const sources = new Set([...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names]) => names!.split(' ')));

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

  it('builds of what it copies', () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-image-'));
    try {
      for (const source of sources) cpSync(source, join(folder, source), { recursive: true, filter: (path) => !path.endsWith('.spec.ts') });
      symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
      const [, run] = /^RUN (npm run .*)$/m.exec(stages[0]!)!;
      const { status, stderr } = spawnSync(run!, { cwd: folder, shell: true, encoding: 'utf8' });
      expect([status, stderr]).toEqual([0, '']);
      expect(existsSync(join(folder, 'dist/src/main.js'))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);

  it('copies nothing that .dockerignore keeps out', () => {
    const allowed = readFileSync('.dockerignore', 'utf8')
      .match(/^!.*/gm)!
      .map((line) => line.slice(1));
    expect([...sources].sort()).toEqual(allowed.sort());
  });
});

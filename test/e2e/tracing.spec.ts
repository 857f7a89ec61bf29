import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuiltServer } from '../support/built-server.js';
import { OtlpReceiver } from '../support/otlp-receiver.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

const SECRET = 'a-secret-of-the-tests-0123456789-abcdefghij';

/** Tells at the end which packages of OpenTelemetry the process has loaded; they are CommonJS, and so is this. */
const PROBE = `process.on('exit', () => {
  const found = Object.keys(require('node:module')._cache).map((file) => /@opentelemetry.([\\w-]+)/.exec(file)?.[1]);
  console.log('LOADED ' + JSON.stringify([...new Set(found.filter(Boolean))].sort()));
});`;

jest.setTimeout(90_000); // each start takes its time on a busy machine

describe('the built server and the collector', () => {
  let database: TestDatabase;
  let folder: string;
  let server: BuiltServer | undefined;

  beforeAll(async () => {
    [database, folder] = await Promise.all([createTestDatabase(), mkdtemp(join(tmpdir(), 'parley-tracing-'))]);
    await writeFile(join(folder, 'probe.cjs'), PROBE);
  });
  afterEach(async () => {
    server?.child.kill('SIGKILL');
    await server?.exited;
  });
  afterAll(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });

  function start(settings: Record<string, string> = {}): BuiltServer {
    return BuiltServer.start({
      settings: { DATABASE_URL: database.url, JWT_SECRET: SECRET, DRAIN_MS: '0', ...settings },
      nodeOptions: ['--require', join(folder, 'probe.cjs')],
    });
  }

  /** Some requests, each of which is a trace where there are traces. */
  async function ask(url: string, count = 5): Promise<void> {
    for (let n = 0; n < count; n++) expect((await fetch(`${url}/v1/me`)).status).toBe(401);
  }

  const complaints = ({ output }: BuiltServer) => output.match(/The collector takes no traces/g) ?? [];
  const loaded = ({ output }: BuiltServer) => JSON.parse(/^LOADED (.*)$/m.exec(output)![1]!) as string[];

  it('have nothing to do with each other unless one is named: no part of the SDK is loaded', async () => {
    server = start();
    await ask(await server.ready());
    expect((await server.stop()).code).toBe(0);
    // The contract alone, all no-ops, is what prom-client brings along.
    expect(loaded(server)).toEqual(['api']);
  });

  it('find each other by .env too', async () => {
    const collector = await OtlpReceiver.start();
    await writeFile(join(folder, '.env'), `OTEL_EXPORTER_OTLP_ENDPOINT=${collector.url}\nOTEL_SERVICE_NAME=by-file\n`);
    server = BuiltServer.start({
      settings: { DATABASE_URL: database.url, JWT_SECRET: SECRET, DRAIN_MS: '0' },
      cwd: folder,
      nodeOptions: ['--require', join(folder, 'probe.cjs')],
    });
    await ask(await server.ready());
    expect((await server.stop()).code).toBe(0);
    collector.stop();
    expect(collector.spans.map(({ name, resource }) => [name, resource['service.name']])).toEqual(
      Array.from({ length: 5 }, () => ['GET /v1/me', 'by-file']),
    );
    expect(loaded(server)).toEqual(expect.arrayContaining(['sdk-trace', 'exporter-trace-otlp-proto']));
  });

  it('are apart while the collector is down: the server starts, serves and stops all the same', async () => {
    const collector = await OtlpReceiver.start();
    collector.stop();
    server = start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '10', OTEL_EXPORTER_OTLP_TIMEOUT: '1' });
    await ask(await server.ready());
    await until(() => complaints(server!).length > 0, 'it said so');
    expect(server.output).toContain('ECONNREFUSED');
    expect((await server.stop()).code).toBe(0);
  });

  it('part with one line in the log, however often the collector refuses, until it takes traces again', async () => {
    const collector = await OtlpReceiver.start();
    collector.answer = 400;
    server = start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '10' });
    const url = await server.ready();
    const askUntil = (condition: () => boolean, what: string) => until(() => ask(url, 1).then(condition), what);
    await askUntil(() => collector.posts.length >= 5, 'it was refused again and again');
    expect(complaints(server)).toHaveLength(1);
    collector.answer = 200;
    await askUntil(() => server!.output.includes('The collector takes traces again.'), 'it took some');
    collector.answer = 400;
    await askUntil(() => complaints(server!).length === 2, 'it was refused anew');
    expect((await server.stop()).code).toBe(0);
    collector.stop();
  });

  it('part in bounded time when the collector takes what it is sent and never answers', async () => {
    const collector = await OtlpReceiver.start();
    collector.answer = null;
    // The exporter's own patience would be ten minutes.
    server = start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_TIMEOUT: '600000' });
    await ask(await server.ready());
    const stopped = server.stop();
    await until(() => collector.posts.length > 0, 'it was sent what was left');
    expect((await stopped).code).toBe(0);
    collector.stop();
  });

  it('meet in each worker of one port, which names itself', async () => {
    const [redis, collector] = await Promise.all([TestRedis.start(), OtlpReceiver.start()]);
    server = start({
      REDIS_URL: redis.url,
      WEB_CONCURRENCY: '2',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '20',
    });
    const url = await server.ready();
    const instances = () => new Set(collector.spans.map(({ resource }) => resource['service.instance.id']));
    await until(async () => {
      await ask(url, 4);
      return instances().size === 2;
    }, 'both have told');
    expect((await server.stop()).code).toBe(0);
    collector.stop();
    await redis.stop();
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { RoomBus } from '../../src/bus/room-bus.js';
import { RoomReplay } from '../../src/log/room-replay.js';
import { CLOSE_CODES } from '../../src/protocol/index.js';
import { MetricsPort } from '../../src/telemetry/metrics-port.js';
import { ChatServer } from '../support/chat-server.js';
import { MetricsPage } from '../support/metrics-page.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

describe('the page of metrics', () => {
  let server: ChatServer;
  beforeAll(async () => {
    server = await ChatServer.start({ METRICS: 'true' });
  });
  afterAll(() => server.close());

  const page = () => MetricsPage.fetch(`${server.test.url}/metrics`);

  it('has every reason for a close at 0 before there is one, so that a first burst is an increase', async () => {
    const reasons = [...Object.keys(CLOSE_CODES), 'client'];
    expect((await page()).by('reason', 'parley_connections_closed_total')).toEqual(
      Object.fromEntries(reasons.map((reason) => [reason, 0])),
    );
  });

  it('counts connections, frames, deliveries and batches as they happen', async () => {
    const before = await page();
    const room = await server.room('ann', 'private', ['bob']);
    const [ann, bob] = await Promise.all([server.connect('ann'), server.connect('bob')]);
    for (const client of [ann, bob]) await client.command('room.subscribe', { room });
    for (let n = 0; n < 5; n++) await ann.command('message.send', { room, clientId: `c${n}`, text: 'hello' });
    for (const client of [ann, bob]) await until(() => client.events(room).length === 5, 'all came');
    const after = await page();
    const grew = (name: string) => after.value(name) - before.value(name);
    expect(after.value('parley_connections')).toBe(2);
    expect(grew('parley_connections_opened_total')).toBe(2);
    expect(grew('parley_frames_received_total')).toBe(2 + 5);
    expect(grew('parley_deliveries_total')).toBe(2 * 5);
    expect(after.histogram('parley_batch_messages')).toEqual({ count: 5, sum: 5 });
    const commit = after.histogram('parley_commit_seconds');
    expect(commit.count).toBe(5);
    expect(commit.sum).toBeGreaterThan(0);
    const delivery = after.histogram('parley_delivery_seconds');
    expect(delivery.count).toBe(5);
    expect(delivery.sum).toBeGreaterThan(0);
    expect(after.value('parley_readiness')).toBe(2);
    expect(after.value('parley_database_connections')).toBeGreaterThan(0);
    expect(after.typeOf('nodejs_eventloop_lag_p99_seconds')).toBe('GAUGE');

    ann.socket.close();
    bob.socket.close();
    await Promise.all([ann.closed, bob.closed]);
    await until(async () => (await page()).value('parley_connections') === 0, 'both are gone');
    expect((await page()).value('parley_connections_closed_total', { reason: 'client' })).toBe(2);
  });

  it('shows the unsent bytes of a client that does not read, and its close as a slow one', async () => {
    const room = await server.room('sam', 'private', ['slow']);
    const [sam, slow] = await Promise.all([server.connect('sam'), server.connect('slow')]);
    await slow.command('room.subscribe', { room });
    (slow.socket as unknown as { _socket: Socket })._socket.pause();
    let most = 0;
    let sent = 0;
    await until(
      async () => {
        const texts = Array.from({ length: 60 }, () =>
          sam.command('message.send', { room, clientId: `s${sent++}`, text: 'x'.repeat(8_000) }),
        );
        await Promise.all(texts);
        const now = await page();
        most = Math.max(most, now.value('parley_unsent_bytes'));
        return now.value('parley_connections_closed_total', { reason: 'slowConsumer' }) === 1;
      },
      'it is closed',
      20_000,
    ).catch((error: unknown) => {
      throw new Error(`at most ${most} bytes were unsent`, { cause: error });
    });
    expect(most).toBeGreaterThan(0);
    slow.socket.terminate();
    sam.socket.close();
    await once(slow.socket, 'close');
  });

  it('has no token, user or room', async () => {
    const secret = server.test.token('very-secret-user');
    const client = await server.connect('very-secret-user');
    const room = await server.room('very-secret-user', 'private');
    await client.command('room.subscribe', { room });
    const { text } = await page();
    for (const word of [secret, 'very-secret-user', room]) expect(text).not.toContain(word);
    client.socket.close();
  });
});

describe('where the page is', () => {
  let server: ChatServer;
  afterEach(() => server.close());

  it('is nowhere unless it is asked for', async () => {
    server = await ChatServer.start();
    expect((await server.http(null, 'GET', '/metrics')).status).toBe(404);
  });

  it('is on its own port alone when that is set', async () => {
    server = await ChatServer.start({ METRICS_PORT: '0', HOST: '127.0.0.1' });
    expect((await server.http(null, 'GET', '/metrics')).status).toBe(404);
    const url = `http://127.0.0.1:${server.get(MetricsPort).port}`;
    expect((await MetricsPage.fetch(`${url}/metrics`)).names).toContain('parley_connections');
    expect((await fetch(`${url}/v1/me`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(404);
  });
});

describe('two instances', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let servers: ChatServer[] = [];
  beforeAll(async () => {
    [database, redis] = await Promise.all([createTestDatabase(), TestRedis.start()]);
    const settings = { DATABASE_URL: database.url, REDIS_URL: redis.url, METRICS: 'true' };
    servers = await Promise.all([ChatServer.start(settings), ChatServer.start(settings)]);
    await until(() => servers.every((server) => server.get(RoomBus).health().status === 'up'), 'both are joined');
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    await redis.stop();
    await database.drop();
  });

  it('measure the bus, and count each gap once that is filled when it brings nothing', async () => {
    const [a, b] = servers as [ChatServer, ChatServer];
    const page = () => MetricsPage.fetch(`${b.test.url}/metrics`);
    const { count, sum } = (await page()).histogram('parley_bus_lag_seconds');
    expect(count).toBeGreaterThan(0);
    expect(sum).toBeGreaterThan(0);
    const room = await a.room('ann', 'private', ['bob']);
    const [ann, bob] = await Promise.all([a.connect('ann'), b.connect('bob')]);
    await bob.command('room.subscribe', { room });
    await redis.stop();
    const cannot = () => Promise.reject(new Error('the log cannot be read'));
    const read = jest.spyOn(b.get(RoomReplay), 'readAfter').mockImplementationOnce(cannot).mockImplementationOnce(cannot);
    for (let n = 0; n < 3; n++) await ann.command('message.send', { room, clientId: `c${n}`, text: 'hello' });
    await until(() => bob.events(room).length === 3, 'they came without Redis');
    const after = await page();
    expect(after.value('parley_gap_events_total')).toBe(3);
    const filled = after.value('parley_gaps_filled_total');
    expect(filled).toBeGreaterThan(0);
    // The reads that failed have filled none.
    expect(filled).toBeLessThanOrEqual(read.mock.calls.length - 2);
    await until(async () => (await page()).value('parley_readiness') === 1, 'it says degraded', 10_000);
    ann.socket.close();
    bob.socket.close();
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { StatisticsCounter } from '../../src/admin/statistics-counter.js';
import { RoomLog } from '../../src/log/room-log.js';
import { AdministratorClient } from '../support/administrator.js';
import { ChatServer } from '../support/chat-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

interface Period {
  at: string;
  messages: number;
  activeUsers: number;
  newUsers: number;
  newRooms: number;
  peakConnections: number;
}

describe('statistics', () => {
  let database: TestDatabase;
  let here: ChatServer;
  let there: ChatServer;
  let root: AdministratorClient;
  let admin: pg.Client;
  beforeAll(async () => {
    database = await createTestDatabase();
    [here, there] = [await ChatServer.start({ DATABASE_URL: database.url }), await ChatServer.start({ DATABASE_URL: database.url })];
    root = new AdministratorClient(here);
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await Promise.all([here.close(), there.close()]);
    await database.drop();
  });

  const count = (server = here) => server.get(StatisticsCounter).count();
  const send = (room: string, sender: string, server = here) =>
    server.get(RoomLog).send({ room, sender, clientId: randomUUID(), text: 'x', meta: {} });
  const history = async (by: 'hour' | 'day', more = '') => (await root.all(`/statistics/history?by=${by}${more}`, 50)) as Period[];
  /** Over all hours: the test may run across the end of one. */
  const totals = async () => {
    const hours = await history('hour');
    return {
      messages: hours.reduce((sum, { messages }) => sum + messages, 0),
      days: (await history('day')).reduce((sum, { messages }) => sum + messages, 0),
    };
  };

  it('count each message once, whoever counts and however often', async () => {
    const rooms = [await here.room('ann', 'public', ['ben']), await here.room('ann', 'private', ['ben'])];
    const before = (await totals()).messages;
    for (const room of rooms) for (const sender of ['ann', 'ben', 'ben']) await send(room, sender);
    await count();
    expect((await totals()).messages).toBe(before + 6);
    // Counted while others are at it, and while more come.
    const sending = Array.from({ length: 200 }, (_, i) => send(rooms[i % 2]!, i % 3 ? 'ann' : 'ben', i % 2 ? here : there));
    await Promise.all([...sending, count(), count(there), count(), count(there)]);
    await count();
    await count(there);
    expect(await totals()).toEqual({ messages: before + 206, days: before + 206 });
    const { rows } = await admin.query<{ behind: string }>(
      'SELECT count(*) AS behind FROM rooms r LEFT JOIN statistics_rooms s ON s.room_id = r.id WHERE r.last_seq <> coalesce(s.counted_seq, 0)',
    );
    expect(rows[0]!.behind).toBe('0');
  });

  it('name users once an hour and once a day, edits and joins are no messages', async () => {
    const room = await here.room('cat', 'public', ['dan']);
    await count();
    const [before] = await history('day');
    const old = new Date(Date.now() - 26 * 3_600_000);
    // Of yesterday and of the hour before, as they are found after a pause.
    for (const [seq, sender, at] of [
      [1, 'cat', old],
      [2, 'cat', new Date(old.getTime() + 1)],
      [3, 'dan', old],
    ] as const)
      await admin.query(
        `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at) VALUES ($1, $2::integer, $2, $3, $2::text, 'x', '{}', $4)`,
        [room, seq, sender, at],
      );
    await admin.query('UPDATE rooms SET last_seq = 3 WHERE id = $1', [room]);
    await send(room, 'cat');
    const { seq } = await send(room, 'cat');
    await here.http('cat', 'PATCH', `/v1/rooms/${room}/messages/${seq}`, { text: 'y' });
    await here.http('eve', 'POST', `/v1/rooms/${room}/join`);
    await count();
    const [today, yesterday] = await history('day');
    expect(yesterday).toMatchObject({ messages: 3, activeUsers: 2 });
    expect([today!.messages - before!.messages, today!.activeUsers - before!.activeUsers]).toEqual([2, 1]);
    const hour = `${old.toISOString().slice(0, 13)}:00:00.000Z`;
    expect((await history('hour')).find(({ at }) => at === hour)).toMatchObject({ messages: 3, activeUsers: 2 });
    expect(await history('hour', `&to=${hour}`)).toEqual([]);
    expect(await history('hour', `&from=${hour}&to=${new Date(Date.parse(hour) + 1).toISOString()}`)).toHaveLength(1);
  });

  it('leave no hour and no day out in which nothing was, from the first on', async () => {
    await admin.query(
      `INSERT INTO statistics_hourly (hour, messages, peak_connections) VALUES (date_trunc('hour', now(), 'UTC') - interval '75 hours', 7, 3)`,
    );
    const now = Date.now();
    const hours = await history('hour');
    const days = await history('day');
    expect(hours.at(-1)).toMatchObject({ messages: 7, activeUsers: 0, peakConnections: 3 });
    expect(hours).toHaveLength(76 + Math.floor(Date.now() / 3_600_000) - Math.floor(now / 3_600_000));
    for (const [periods, ms] of [
      [hours, 3_600_000],
      [days, 86_400_000],
    ] as const) {
      const starts = periods.map(({ at }) => Date.parse(at));
      expect(starts).toEqual(starts.map((_, index) => starts[0]! - index * ms));
      expect(starts.every((start) => start % ms === 0)).toBe(true);
    }
    expect(hours.at(-2)).toEqual({ at: hours.at(-2)!.at, messages: 0, activeUsers: 0, newUsers: 0, newRooms: 0, peakConnections: 0 });
    const sum = (periods: Period[]) => periods.reduce((all, { messages }) => all + messages, 0);
    expect(sum(days)).toBe(sum(hours));
    // What begins in between does not begin at an hour.
    expect(await history('hour', `&from=${new Date(Date.parse(hours.at(-3)!.at) + 1).toISOString()}&to=${hours.at(-5)!.at}`)).toEqual([
      hours.at(-4),
    ]);
    expect(await history('day', '&from=2999-01-01T00:00:00Z')).toEqual([]);
    await admin.query(`DELETE FROM statistics_hourly WHERE messages = 7 AND peak_connections = 3`);
  });

  it('catch up by all rooms when the changes no longer reach back', async () => {
    const room = await here.room('fay', 'private');
    await count();
    const before = (await totals()).messages;
    for (let i = 0; i < 5; i++) await send(room, 'fay');
    // As after a pause: what told of the growth is gone.
    await admin.query(`DELETE FROM changes`);
    await admin.query(`UPDATE statistics_progress SET next_xid = '1'::xid8`);
    await admin.query(`UPDATE changes_horizon SET xid = '2'::xid8`);
    await count();
    expect((await totals()).messages).toBe(before + 5);
  });

  it('say how much there is now, and by how many instances', async () => {
    const client = await here.connect('jon');
    await client.command('ping');
    const now = await root.done('GET', '/statistics');
    const { rows } = await admin.query<Record<'users' | 'rooms' | 'messages', string>>(
      'SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM rooms) AS rooms, (SELECT count(*) FROM messages) AS messages',
    );
    for (const name of ['users', 'rooms', 'messages'] as const)
      expect([name, now[name]]).toEqual([name, { count: Number(rows[0]![name]), isEstimate: false }]);
    expect(now).toMatchObject({ onlineUsers: 1, isOnlinePartial: false, instances: [{}, {}], messagesPerMinute: expect.any(Number) });
    await client.close();
  });

  it('count a long log in parts', async () => {
    const room = await here.room('gil', 'private');
    await count();
    const before = (await totals()).messages;
    await admin.query(
      `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
        SELECT $1, i, i, 'gil', i::text, 'x', '{}', now() FROM generate_series(1, 450000) i`,
      [room],
    );
    await admin.query('UPDATE rooms SET last_seq = 450000 WHERE id = $1', [room]);
    await send(room, 'gil');
    await count();
    expect((await totals()).messages).toBe(before + 450_001);
  });

  it('know new users and rooms, and the most connections at a time', async () => {
    await count();
    const sum = async () => {
      const hours = await history('hour');
      return [hours.reduce((all, { newUsers }) => all + newUsers, 0), hours.reduce((all, { newRooms }) => all + newRooms, 0)];
    };
    const [users, rooms] = await sum();
    await here.room('hal-new', 'public');
    await here.http('ida-new', 'GET', '/v1/me');
    await admin.query(`INSERT INTO instances (id, connections) VALUES ($1, 4711)`, [randomUUID()]);
    await count();
    await admin.query(`DELETE FROM instances WHERE connections = 4711`);
    await count();
    expect(await sum()).toEqual([users! + 2, rooms! + 1]);
    // Committed late, when the hour that they came in was over and counted.
    await admin.query(`INSERT INTO users (id, created_at) VALUES ('late', date_trunc('hour', now(), 'UTC') - interval '1 second')`);
    await admin.query(`UPDATE statistics_progress SET counted_at = date_trunc('hour', now(), 'UTC')`);
    await count();
    expect(await sum()).toEqual([users! + 3, rooms! + 1]);
    expect(Math.max(...(await history('hour')).map(({ peakConnections }) => peakConnections))).toBeGreaterThanOrEqual(4711);
  });

  it('are estimated where there is much', async () => {
    await admin.query(`INSERT INTO users (id) SELECT 'many-' || i FROM generate_series(1, 120000) i`);
    await admin.query('ANALYZE users');
    const { users } = await root.done('GET', '/statistics');
    expect(users.isEstimate).toBe(true);
    expect(users.count).toBeGreaterThan(100_000);
    expect(users.count).toBeLessThan(140_000);
  });
});

describe('settings', () => {
  it('show what the server runs with, and no secret', async () => {
    const secret = 'hunter2-hunter2-hunter2-hunter2-secret';
    const database = await createTestDatabase();
    const url = new URL(database.url);
    url.searchParams.set('application_name', 'shown');
    const server = await ChatServer.start({
      DATABASE_URL: url.href,
      JWT_SECRET: secret,
      CONNECTIONS_PER_USER: '7',
      ALLOWED_ORIGINS: 'https://a.example,https://b.example',
    });
    try {
      const { text, body } = await new AdministratorClient(server).ask('GET', '/settings');
      const shown = new Map((body.items as { name: string }[]).map((setting) => [setting.name, setting]));
      expect(shown.get('CONNECTIONS_PER_USER')).toMatchObject({ value: '7', default: '50', isSet: true, isSecret: false });
      expect(shown.get('HOST')).toMatchObject({ value: '0.0.0.0', default: '0.0.0.0', isSet: false });
      expect(shown.get('ALLOWED_ORIGINS')).toMatchObject({ value: 'https://a.example,https://b.example', default: null });
      expect(shown.get('JWT_SECRET')).toMatchObject({ value: null, isSecret: true, isSet: true });
      expect(shown.get('REDIS_URL')).toMatchObject({ value: null, isSet: false });
      expect(text).not.toContain(secret);
      const { value } = shown.get('DATABASE_URL') as unknown as { value: string };
      expect(value).toContain(url.hostname);
      expect(value).toContain('application_name=shown');
      expect(new URL(value)).toMatchObject({ username: '', password: '' });
    } finally {
      await server.close();
      await database.drop();
    }
  });
});

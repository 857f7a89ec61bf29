import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { StatisticsCounter } from '../../src/admin/statistics-counter.js';
import { Hub } from '../../src/realtime/hub.js';
import { ChatClient, type Frame } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { StatementCount } from '../support/statement-count.js';
import { until } from '../support/until.js';

const CLIENTS = 2_000;
/** So many of them follow a list of rooms beside the one that all share. */
const WITH_LISTS = 200;
const ROOMS = 100;
const ROOMS_EACH = 20;
const MISSED = 60;

let server: ChatServer;
let admin: pg.Client;
let count: StatementCount;
const users = Array.from({ length: CLIENTS }, (_, index) => `user${index}`);
let shared: string;
let lists: string[];

beforeAll(async () => {
  server = await ChatServer.start({ LIMITS: 'on', DATABASE_POOL: '16' });
  admin = new pg.Client({ connectionString: server.test.databaseUrl });
  await admin.connect();
  count = new StatementCount(server.get(DataSource));
  // It would be counted with the clients, should its time come.
  server.get(StatisticsCounter).onApplicationShutdown();
  shared = await server.room('ann', 'private');
  lists = await Promise.all(Array.from({ length: ROOMS }, () => server.room('ann', 'private')));
  await admin.query(
    `INSERT INTO memberships (room_id, user_id, role) SELECT r, u, 'member' FROM unnest($1::uuid[]) r, unnest($2::text[]) u`,
    [[shared], users],
  );
  await admin.query(
    `INSERT INTO memberships (room_id, user_id, role) SELECT r, u, 'member' FROM unnest($1::uuid[]) r, unnest($2::text[]) u`,
    [lists, users.slice(0, WITH_LISTS)],
  );
}, 60_000);

afterAll(async () => {
  await admin.end();
  await server.close();
}, 60_000);

const listOf = (index: number) => Array.from({ length: ROOMS_EACH }, (_, place) => lists[(index * 7 + place) % ROOMS]!);

/** Adds messages as any other instance would commit them. */
async function append(room: string, messages: number): Promise<void> {
  await admin.query(
    `WITH head AS (UPDATE rooms SET last_seq = last_seq + $2 WHERE id = $1 RETURNING last_seq - $2 AS before)
    INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
    SELECT $1, before + n, before + n, 'ann', gen_random_uuid()::text, repeat('hello ', 30), '{}', clock_timestamp()
    FROM head, generate_series(1, $2) n`,
    [room, messages],
  );
}

interface Returned {
  client: ChatClient;
  answers: Frame['data'][];
}

/** One client back: a handshake with its JWT, and its rooms from where it left them. */
async function comeBack(index: number, since: { epoch: string; seq: number }, epochs: Map<string, string>): Promise<Returned> {
  const client = await ChatClient.connect(server.wsUrl, {
    token: server.test.token(users[index]!, { name: `User ${index}` }),
    patienceMs: 20_000,
  });
  const one = client.command('room.subscribe', { room: shared, since: { ...since, seq: since.seq - (index % 10) } });
  if (index >= WITH_LISTS) return { client, answers: [await one] };
  const rooms = listOf(index).map((room) => ({ room, since: { epoch: epochs.get(room)!, seq: 0 } }));
  const many = client.command('rooms.subscribe', { rooms }) as Promise<{ rooms: Frame['data'][] }>;
  return { client, answers: [await one, ...(await many).rooms] };
}

describe(`${CLIENTS} clients back at once`, () => {
  it('cost a small part of as many statements, and each gets exactly what it missed', async () => {
    const { rows } = await admin.query<{ id: string; epoch: string }>('SELECT id, epoch FROM rooms');
    const epochs = new Map(rows.map(({ id, epoch }) => [id, epoch]));
    await append(shared, 100);
    for (const room of lists) await append(room, 5);
    let head = 100;
    for (const storm of ['at an instance that has seen none of them', 'dropped by it']) {
      const since = { epoch: epochs.get(shared)!, seq: head };
      await append(shared, MISSED);
      head += MISSED;
      count.reset();
      const began = performance.now();
      const returned = await Promise.all(users.map((_, index) => comeBack(index, since, epochs)));
      const took = performance.now() - began;
      const { statements, rows, bytes } = count.sums;
      const summary = `${statements} statements, ${rows} rows, ${(bytes / 1e6).toFixed(1)} MB of PostgreSQL, ${took.toFixed(0)} ms`;
      process.stdout.write(`${CLIENTS} clients ${storm}: ${summary}\n`);

      returned.forEach(({ answers: [one, ...many] }, index) => {
        const from = since.seq - (index % 10);
        expect(one).toMatchObject({ room: shared, recovered: true, headSeq: head, role: 'member' });
        expect((one.events as Frame[]).map(({ seq }) => seq)).toEqual(Array.from({ length: head - from }, (_, n) => from + 1 + n));
        expect(many.map(({ room, recovered, events }: Frame['data']) => [room, recovered, events.length])).toEqual(
          index < WITH_LISTS ? listOf(index).map((room) => [room, true, 5]) : [],
        );
      });

      const said = await server.http(
        'ann',
        'POST',
        `/v1/rooms/${shared}/messages`,
        { text: 'welcome back' },
        { 'Idempotency-Key': randomUUID() },
      );
      expect(said).toMatchObject({ status: 201, body: { seq: ++head } });
      await until(() => returned.every(({ client }) => client.events(shared).length > 0), 'all hear the next message', 20_000);
      for (const { client } of returned) expect(client.events(shared).map(({ seq }) => seq)).toEqual([head]);

      for (const { client } of returned) client.socket.terminate();
      await until(() => server.get(Hub).size === 0, 'all are gone', 20_000);
      // Look-ups gather for a while, so they come to some ten a second and kind: a machine that takes longer for all asks more of them.
      const seconds = took / 1_000;
      expect(statements).toBeLessThanOrEqual(Math.max(CLIENTS / 10, 60 * seconds));
      // The clients were told a hundred times as much.
      expect(bytes).toBeLessThan(Math.max(10_000_000, 2_500_000 * seconds));
    }
  }, 90_000);
});

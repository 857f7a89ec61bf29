import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ChangesFeed } from '../../src/changes/changes-feed.js';
import { ChatClient } from '../support/chat-client.js';
import { timed } from '../support/stopwatch.js';
import { startTestApp, type TestApp } from '../support/test-app.js';
import { until } from '../support/until.js';

/** Commits that this server hears of from PostgreSQL alone: another server's, or its own whose answer was lost. */
describe('the changes feed', () => {
  let server: TestApp;
  let admin: pg.Client;
  beforeAll(async () => {
    server = await startTestApp();
    admin = new pg.Client({ connectionString: server.databaseUrl });
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await server.close();
  });

  async function followedRoom(): Promise<{ room: string; client: ChatClient }> {
    const response = await fetch(`${server.url}/v1/rooms`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token('ann')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'private' }),
    });
    const { id: room } = (await response.json()) as { id: string };
    const client = await ChatClient.connect(server.wsUrl, { token: server.token('ann') });
    await client.command('room.subscribe', { room });
    return { room, client };
  }

  /** As an append whose hint reaches nobody. */
  const append = (by: pg.ClientBase, room: string, clientId: string) =>
    by.query(
      `SELECT * FROM append_messages_v1(ARRAY[$1::uuid], ARRAY['ann'], ARRAY[$2], ARRAY['hi'], ARRAY['{}'::jsonb], ARRAY['owner'])`,
      [room, clientId],
    );

  it('brings what no hint told of, within 2 s', async () => {
    const { room, client } = await followedRoom();
    await append(admin, room, 'c1');
    const { waitedMs } = await timed(client.seen(({ event, seq }) => event === 'message.created' && seq === 1));
    expect(waitedMs).toBeLessThan(2_000);
    await client.close();
  });

  it('skips nothing when a transaction takes long and later ones overtake it', async () => {
    const [slow, quick] = [await followedRoom(), await followedRoom()];
    await admin.query('BEGIN');
    await append(admin, slow.room, 'c1');
    const other = new pg.Client({ connectionString: server.databaseUrl });
    await other.connect();
    await append(other, quick.room, 'c1');
    await other.end();
    // The feed has read past the slow transaction's place by now.
    await quick.client.seen(({ event }) => event === 'message.created');
    expect(slow.client.events(slow.room)).toEqual([]);
    await admin.query('COMMIT');
    await slow.client.seen(({ event }) => event === 'message.created');
    await Promise.all([slow.client.close(), quick.client.close()]);
  });

  it('tells once of what is read while another transaction takes long', async () => {
    const [slow, quick] = [await followedRoom(), await followedRoom()];
    const told: string[] = [];
    const stop = server.app.get(ChangesFeed).listen({ onHeads: (heads) => told.push(...heads.keys()) });
    await admin.query('BEGIN');
    await append(admin, slow.room, 'c1');
    const other = new pg.Client({ connectionString: server.databaseUrl });
    await other.connect();
    for (let round = 1; round <= 3; round++) {
      await append(other, quick.room, `c${round}`);
      await until(() => told.length === round, 'the feed has told of it');
    }
    await other.end();
    await admin.query('COMMIT');
    await until(() => told.includes(slow.room), 'the feed has told of the slow one');
    stop();
    expect(told).toEqual([quick.room, quick.room, quick.room, slow.room]);
    await Promise.all([slow.client.close(), quick.client.close()]);
  });

  it('keeps the order when a hinted message comes behind one that was not', async () => {
    const { room, client } = await followedRoom();
    await append(admin, room, 'c1');
    await client.command('message.send', { room, clientId: 'c2', text: 'second' });
    await client.seen(({ seq }) => seq === 2);
    expect(client.events(room).map(({ seq }) => seq)).toEqual([1, 2]);
    await client.close();
  });
});

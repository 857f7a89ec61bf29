import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { ChangesFeed } from '../../src/changes/changes-feed.js';
import { ChatServer } from '../support/chat-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

/** A number of transactions that no new PostgreSQL has come to, and an old one has. */
const FAR = '1000000000000';

let database: TestDatabase;
let server: ChatServer;
beforeAll(async () => {
  database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`UPDATE changes_horizon SET xid = '${FAR}'`);
  await client.query(`INSERT INTO changes (xid, kind, payload) VALUES ('${FAR}', 'heads', '{}')`);
  await client.end();
  server = await ChatServer.start({ DATABASE_URL: database.url });
});
afterAll(async () => {
  await server.close();
  await database.drop();
});

it('a dump that is loaded into a new PostgreSQL brings its changes from another count of transactions: they are forgotten', async () => {
  let missed = 0;
  const heads: string[] = [];
  server.get(ChangesFeed).listen({ onMissed: () => missed++, onHeads: (rooms) => heads.push(...rooms.keys()) });
  const client = await server.connect('u1');
  for (let round = 0; round < 2; round++) {
    const room = await server.room('u1', 'public');
    await client.command('message.send', { room, clientId: 'c', text: 'hi' });
    await until(() => heads.includes(room), 'a poll told of the message');
  }
  expect(missed).toBe(0);
  expect(await client.command('ping')).toHaveProperty('serverTime');
  await client.close();
});

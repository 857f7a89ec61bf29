import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type CommandError } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { until } from '../support/until.js';
import { readLog, readMessages } from '../support/whole-room.js';

let server: ChatServer;

beforeAll(async () => {
  server = await ChatServer.start();
});

afterAll(() => server.close());

const drafts = (room: string, count: number, name: string) =>
  Array.from({ length: count }, (_, index) => ({ room, clientId: `${name}${index}`, text: `${name} ${index}` }));

describe('sends that go to the database together', () => {
  it('one draft that the database refuses fails alone, in a batch of many rooms and sockets', async () => {
    const sql = new pg.Client({ connectionString: server.test.databaseUrl });
    await sql.connect();
    try {
      await sql.query(`ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text <> 'poison')`);
      const rooms = [await server.room('ann', 'private', ['bob']), await server.room('ann', 'private', ['bob'])];
      const [ann, bob] = [await server.connect('ann'), await server.connect('bob')];
      const good = rooms.flatMap((room) => drafts(room, 20, 'good'));
      // In one turn, so that both are in the batch; the poison is in the midst of the good ones.
      const outcomes = Promise.allSettled([
        ...good.slice(0, 20).map((draft) => ann.command('message.send', draft)),
        bob.command('message.send', { room: rooms[0], clientId: 'poison', text: 'poison' }),
        ...good.slice(20).map((draft) => bob.command('message.send', draft)),
      ]);
      const results = await outcomes;
      const failed = results.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
      expect(failed.map(({ reason }) => (reason as CommandError).code)).toEqual(['internal']);
      expect((failed[0]!.reason as CommandError).data).toMatchObject({ retryable: true });
      expect(results.indexOf(failed[0]!)).toBe(20);
      for (const room of rooms) {
        expect((await readMessages(server, 'ann', room)).map(({ text }) => text)).toEqual(drafts(room, 20, 'good').map(({ text }) => text));
      }
      await sql.query('ALTER TABLE messages DROP CONSTRAINT no_poison');
      expect(await bob.command('message.send', { room: rooms[0], clientId: 'poison', text: 'poison' })).toMatchObject({ seq: 21 });
      await Promise.all([ann.close(), bob.close()]);
    } finally {
      await sql.end();
    }
  });

  it('what a stranger or a reader sends among others is refused alone', async () => {
    const [hidden, open] = [await server.room('ann', 'private'), await server.room('ann', 'public')];
    const [ann, eve] = [await server.connect('ann'), await server.connect('eve')];
    const sends = [hidden, open].flatMap((room) => [
      ...drafts(room, 10, 'mine').map((draft) => ann.command('message.send', draft)),
      eve.command('message.send', { room, clientId: 'hers', text: 'let me in' }).catch(({ code }: CommandError) => code),
    ]);
    const answers = (await Promise.all(sends)) as unknown[];
    expect(answers.filter((answer) => typeof answer === 'string')).toEqual(['not_found', 'forbidden']);
    for (const room of [hidden, open]) expect(await readLog(server, 'ann', room)).toHaveLength(10);
    await Promise.all([ann.close(), eve.close()]);
  });

  it('the same clientId from two sockets of a user at once is one message, and one event', async () => {
    const room = await server.room('ann', 'private', ['bob']);
    const [phone, laptop, bob] = [await server.connect('ann'), await server.connect('ann'), await server.connect('bob')];
    await bob.command('room.subscribe', { room });
    for (let round = 1; round <= 20; round++) {
      const draft = { room, clientId: `same ${round}`, text: 'once' };
      const acks = await Promise.all([phone, laptop, phone].map((client) => client.command('message.send', draft)));
      expect(acks.map(({ seq }) => seq as number)).toEqual([round, round, round]);
      expect(acks.filter(({ duplicate }) => duplicate === false)).toHaveLength(1);
      expect(new Set(acks.map(({ createdAt }) => createdAt as string)).size).toBe(1);
    }
    // Of another sender it is another message.
    expect(await bob.command('message.send', { room, clientId: 'same 1', text: 'mine' })).toMatchObject({ seq: 21, duplicate: false });
    await bob.seen(({ seq }) => seq === 21);
    expect(bob.events(room).map(({ seq }) => seq)).toEqual(Array.from({ length: 21 }, (_, index) => index + 1));
    await Promise.all([phone, laptop, bob].map((client) => client.close()));
  });
});

describe('one socket', () => {
  it('has its sends numbered in the order in which it sent them, and everybody hears them in that order', async () => {
    const room = await server.room('ann', 'private', ['bob']);
    const [ann, bob] = [await server.connect('ann'), await server.connect('bob')];
    for (const client of [ann, bob]) await client.command('room.subscribe', { room });
    const sent = drafts(room, 500, 'm');
    const acks = await Promise.all(sent.map((draft) => ann.command('message.send', draft)));
    expect(acks.map(({ seq }) => seq as number)).toEqual(sent.map((_, index) => index + 1));
    await until(() => ann.events(room).length === 500 && bob.events(room).length === 500, 'both have heard all');
    for (const client of [ann, bob]) {
      expect(client.events(room).map(({ seq, data }) => [seq, data.clientId as string])).toEqual(
        sent.map(({ clientId }, index) => [index + 1, clientId]),
      );
    }
    await Promise.all([ann.close(), bob.close()]);
  });

  it('has an edit behind its send, and the next send behind the edit, without waiting for acks', async () => {
    const room = await server.room('ann', 'private');
    const ann = await server.connect('ann');
    const acks = await Promise.all([
      ann.command('message.send', { room, clientId: 'a', text: 'one' }),
      ann.command('message.edit', { room, seq: 1, text: 'two' }),
      ann.command('message.send', { room, clientId: 'b', text: 'three' }),
      ann.command('message.delete', { room, seq: 1 }),
      ann.command('history.get', { room }),
    ]);
    expect(acks.slice(0, 4).map(({ seq }) => seq as number)).toEqual([1, 2, 3, 4]);
    expect(acks[4].messages).toMatchObject([
      { seq: 1, lastSeq: 4, text: '', version: 2 },
      { seq: 3, lastSeq: 3, text: 'three' },
    ]);
    await ann.close();
  });
});

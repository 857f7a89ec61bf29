import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { HistoryService } from '../../src/messaging/history.service.js';
import { MessagingService } from '../../src/messaging/messaging.service.js';
import { ReadMarks } from '../../src/messaging/read-marks.service.js';
import { CommandOutages } from '../../src/realtime/command-outages.js';
import { type ChatClient, CommandError, refusedUpgrade } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

/** A stack, SQL, PostgreSQL's words, a path, or where the database is. */
const INTERNALS =
  /\bat .+:\d+|\.[jt]s\b|SELECT|INSERT|UPDATE|relation "|syntax error|QueryFailed|node_modules|ECONN|127\.0\.0\.1|postgres|secret of the inside/i;

describe('a handler that fails', () => {
  let server: ChatServer;
  let client: ChatClient;
  let room: string;
  beforeAll(async () => {
    server = await ChatServer.start();
    room = await server.room('ann', 'private');
    client = await server.connect('ann');
  });
  afterAll(() => server.close());

  const failures: [string, () => Promise<never>][] = [
    [
      'throws',
      () => {
        throw new TypeError('secret of the inside: SELECT * FROM users');
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret of the inside at Object.run (/srv/app/server.js:1:1)'))],
    ['rejects later', () => new Promise((_, reject) => setImmediate(() => reject(new Error('secret of the inside'))))],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- libraries do it
    ['rejects with nothing', () => Promise.reject(undefined)],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- libraries do it
    ['rejects with text', () => Promise.reject('secret of the inside')],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- libraries do it
    ['rejects with an object', () => Promise.reject({ status: 200, type: 'x', message: 'secret of the inside' })],
    [
      'rejects with a driver error',
      () => Promise.reject(Object.assign(new Error('relation "users" does not exist'), { code: '42P01', severity: 'ERROR' })),
    ],
  ];

  it.each(failures)('lines 35 and 38: one that %s is answered by internal, and nothing else happens', async (_, fail) => {
    jest.spyOn(server.get(HistoryService), 'page').mockImplementation(fail);
    jest.spyOn(server.get(MessagingService), 'send').mockImplementation(fail);
    jest.spyOn(server.get(ReadMarks), 'set').mockImplementation(fail);
    const failed = jest.spyOn(Logger.prototype, 'error');
    const commands: [string, object][] = [
      ['history.get', { room }],
      ['message.send', { room, clientId: 'c', text: 'x' }],
      ['read.set', { room, seq: 1 }],
    ];
    for (const [event, data] of commands) {
      const error = (await client.command(event, data).catch((thrown: unknown) => thrown)) as CommandError;
      expect(error).toBeInstanceOf(CommandError);
      expect(error.data).toEqual({ code: 'internal', message: expect.any(String), retryable: true });
      expect(JSON.stringify(error.data)).not.toMatch(INTERNALS);
    }
    client.raw(JSON.stringify({ event: 'history.get', data: { room } }));
    const withoutId = await client.next(({ event, id }) => event === 'error' && id === undefined);
    expect(withoutId.data).toMatchObject({ code: 'internal' });
    expect(failed).toHaveBeenCalledTimes(commands.length + 1);
    const rest = await server.http('ann', 'GET', `/v1/rooms/${room}/messages`);
    expect([rest.status, (rest.body as { code: string }).code]).toEqual([500, 'internal']);
    expect(rest.text).not.toMatch(INTERNALS);
    jest.restoreAllMocks();
    await client.command('ping');
    await client.command('history.get', { room });
  });

  it('line 38: no error of REST shows a stack or SQL', async () => {
    const answers = await Promise.all([
      server.http(null, 'GET', '/v1/me'),
      server.http('ann', 'GET', '/nothing/here'),
      server.http('ann', 'POST', '/v1/rooms', '{"type":'),
      server.http('ann', 'POST', '/v1/rooms', '{}'),
      server.http('ann', 'POST', '/v1/rooms', 'x'.repeat(300_000)),
      server.http('ann', 'GET', `/v1/rooms/${'x'.repeat(36)}`),
      server.http('ann', 'GET', '/v1/rooms/%E0%A4%A'),
      server.http('ann', 'POST', '/v1/rooms', '{}', { 'content-encoding': 'bogus' }),
      server.http('ann', 'POST', '/v1/rooms', '{}', { 'content-type': 'application/json; charset=bogus' }),
    ]);
    for (const { status, text, body } of answers) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(Object.keys(body as object)).toEqual(expect.arrayContaining(['code', 'message', 'requestId']));
      expect(text).not.toMatch(INTERNALS);
    }
  });
});

describe('the database is down', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let server: ChatServer;
  beforeAll(async () => {
    database = await createTestDatabase();
    const url = new URL(database.url);
    proxy = await TcpProxy.to(url.hostname, Number(url.port));
    url.hostname = '127.0.0.1';
    url.port = String(proxy.port);
    server = await ChatServer.start({ DATABASE_URL: url.href });
  });
  afterAll(async () => {
    proxy.up();
    await server.close();
    await proxy.close();
    await database.drop();
  });

  it('when it stalls, a send is a timeout and ping is answered; sent again it is one message', async () => {
    const room = await server.room('ann', 'private');
    const client = await server.connect('ann', { patienceMs: 20_000 });
    await client.command('room.subscribe', { room });
    proxy.stall();
    const sent = client.command('message.send', { room, clientId: 'c', text: 'x' }).catch((error: unknown) => error);
    await client.command('ping');
    expect(client.frames.filter(({ event }) => event === 'error')).toEqual([]);
    const error = (await sent) as CommandError;
    expect([error.code, error.data.retryable]).toEqual(['timeout', true]);
    await client.command('ping');
    proxy.flow();
    const again = () => client.command('message.send', { room, clientId: 'c', text: 'x' }).then(Boolean, () => false);
    await until(again, 'it is stored', 20_000);
    expect(await client.command('message.send', { room, clientId: 'c', text: 'x' })).toMatchObject({ seq: 1, duplicate: true });
    expect((await client.seen(({ event }) => event === 'message.created')).seq).toBe(1);
    expect(client.events(room)).toHaveLength(1);
    await client.close();
  }, 60_000);

  it('line 36: authorization fails closed, ping is answered, sockets stay, and all is well when it is back', async () => {
    const room = await server.room('ann', 'private', ['bob']);
    const open = await server.room('ann', 'public');
    const [ann, stranger] = [await server.connect('ann'), await server.connect('stranger')];
    const { epoch } = (await ann.command('room.subscribe', { room })) as { epoch: string };
    await ann.command('message.send', { room, clientId: 'before', text: 'x' });
    const { body } = await server.http('ann', 'POST', '/v1/auth/tickets');
    const ticket = (body as { ticket: string }).ticket;

    const [warned, failed] = [jest.spyOn(Logger.prototype, 'warn'), jest.spyOn(Logger.prototype, 'error')];
    proxy.down();
    const down = /^(unavailable|timeout)$/;
    const commands: [string, object][] = [
      ['room.subscribe', { room }],
      ['room.subscribe', { room: open, since: { epoch, seq: 0 } }],
      ['message.send', { room, clientId: 'during', text: 'x' }],
      ['history.get', { room }],
      ['room.join', { room: open }],
      ['read.set', { room, seq: 1 }],
      ['typing.start', { room }],
      ['presence.watch', { room }],
      ['message.edit', { room, seq: 1, text: 'y' }],
      ['presence.set', { status: 'busy' }],
    ];
    for (const client of [ann, stranger]) {
      for (const [event, data] of commands) {
        const error = (await client.command(event, data).catch((thrown: unknown) => thrown)) as CommandError;
        expect([event, error]).toEqual([event, expect.any(CommandError)]);
        expect([event, error.code]).toEqual([event, expect.stringMatching(down)]);
        expect(error.data).toMatchObject({ retryable: true });
        expect(JSON.stringify(error.data)).not.toMatch(INTERNALS);
      }
      const { rooms } = (await client.command('rooms.subscribe', { rooms: [{ room }] })) as { rooms: { error: { code: string } }[] };
      expect(rooms[0]!.error.code).toMatch(down);
      await client.command('ping');
    }
    const outages = () => warned.mock.calls.map(([about]) => about as unknown as { failures?: number });
    const counted = () => outages().reduce((sum, { failures = 0 }) => sum + failures, 0);
    server.get(CommandOutages).onModuleDestroy(); // as when it stops: what is counted is told now
    expect(counted()).toBeGreaterThanOrEqual(2 * commands.length);
    expect(JSON.stringify(outages())).not.toMatch(/\bat .+:\d+|SELECT/);
    expect(failed).not.toHaveBeenCalled();
    jest.restoreAllMocks();
    for (const refused of [
      await refusedUpgrade(server.wsUrl, { token: server.test.token('never seen') }),
      await refusedUpgrade(`${server.wsUrl}?ticket=${ticket}`),
    ]) {
      expect([503, 504]).toContain(refused.status);
      expect(refused.body.code).toMatch(down);
      expect(JSON.stringify(refused.body)).not.toMatch(INTERNALS);
    }
    for (const [user, path] of [
      ['ann', `/v1/rooms/${room}/messages`],
      ['stranger', `/v1/rooms/${room}`],
      ['stranger', '/v1/me/rooms'],
    ] as const) {
      const answer = await server.http(user, 'GET', path);
      expect([503, 504]).toContain(answer.status);
      expect(answer.text).not.toMatch(INTERNALS);
    }

    proxy.up();
    const isBack = () => ann.command('history.get', { room }).then(Boolean, () => false);
    await until(isBack, 'commands succeed again');
    const subscribe = stranger.command('room.subscribe', { room });
    await expect(subscribe).rejects.toMatchObject({ code: 'not_found' });
    const again = (await ann.command('message.send', { room, clientId: 'during', text: 'x' })) as { seq: number };
    await ann.seen(({ event, seq }) => event === 'message.created' && seq === again.seq);
    expect(ann.events(room).map(({ seq }) => seq)).toEqual(Array.from({ length: again.seq }, (_, i) => i + 1));
    for (const client of [ann, stranger]) await client.close();
  });

  it('line 36: a user who is known is let in from memory for ten seconds, and then not, since he may have been banned', async () => {
    const room = await server.room('ann', 'private');
    const unknowable = { code: 'unavailable', message: 'It cannot be told whether the token still counts.' };
    const now = performance.now.bind(performance);

    proxy.down();
    await (await server.connect('ann')).close();
    expect((await server.http('ann', 'GET', `/v1/rooms/${room}`)).body).not.toMatchObject(unknowable);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + 10_000);
    const refused = await refusedUpgrade(server.wsUrl, { token: server.test.token('ann') });
    expect([refused.status, refused.body]).toEqual([503, expect.objectContaining(unknowable)]);
    const answer = await server.http('ann', 'GET', `/v1/rooms/${room}`);
    expect([answer.status, answer.body]).toEqual([503, expect.objectContaining(unknowable)]);

    jest.restoreAllMocks();
    proxy.up();
    await until(() => server.http('ann', 'GET', `/v1/rooms/${room}`).then(({ status }) => status === 200), 'he is let in again');
    await (await server.connect('ann')).close();
  });
});

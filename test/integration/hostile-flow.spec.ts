import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { RateLimits } from '../../src/limits/rate-limits.js';
import { MessagingService } from '../../src/messaging/messaging.service.js';
import { Heartbeat } from '../../src/realtime/heartbeat.js';
import { Hub } from '../../src/realtime/hub.js';
import type { Session } from '../../src/realtime/session.js';
import { Sessions } from '../../src/realtime/sessions.service.js';
import type { ChatClient } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { RawSocket } from '../support/raw-socket.js';
import { until } from '../support/until.js';

/** 24 KB as UTF-8. */
const LONG = '€'.repeat(8_000);

let server: ChatServer;
beforeAll(async () => {
  server = await ChatServer.start();
});
afterAll(() => server.close());

/** Runs `work` while nothing can be appended to any room. */
async function whileLocked(work: () => Promise<void>): Promise<void> {
  const other = new pg.Client({ connectionString: server.test.databaseUrl });
  await other.connect();
  try {
    await other.query('BEGIN');
    await other.query('LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE');
    await work();
  } finally {
    await other.query('ROLLBACK');
    await other.end();
  }
}

const sendText = (room: string, id: number) =>
  JSON.stringify({ id, event: 'message.send', data: { room, clientId: `n${id}`, text: `${id}` } });

const sessionOf = (user: string): Session => [...server.get(Hub).ofUser(user)][0]!;

describe('commands under way', () => {
  it('ping and auth.refresh are answered while the commands of a room wait for a locked table', async () => {
    const room = await server.room('ann', 'private');
    const client = await server.connect('ann');
    await whileLocked(async () => {
      client.raw(sendText(room, 1));
      await client.command('ping', {}, 2);
      await client.command('auth.refresh', { token: server.test.token('ann') }, 3);
      expect(client.frames.some(({ id }) => id === 1)).toBe(false);
    });
    await client.seen(({ id, event }) => id === 1 && event === 'ack');
    await client.close();
  });

  it('a busy id is bad_frame without an id, and its command is answered once', async () => {
    const room = await server.room('ann', 'private');
    const client = await server.connect('ann');
    await whileLocked(async () => {
      client.raw(sendText(room, 7));
      for (const text of [sendText(room, 7), '{"id":7,"event":"ping"}', '{"id":7,"event":"nothing"}']) {
        const refused = client.next(() => true);
        client.raw(text);
        expect(await refused).toEqual({
          event: 'error',
          data: { code: 'bad_frame', message: expect.stringContaining('7'), retryable: false },
        });
      }
    });
    await client.seen(({ id }) => id === 7);
    await client.command('ping', {}, 7);
    expect(client.frames.filter(({ id, event }) => id === 7 && event === 'ack')).toHaveLength(2);
    await client.close();
  });

  it('of 300 sends at once 64 are under way, the rest is not read, and all are answered', async () => {
    const room = await server.room('ann', 'private');
    const [client, other] = [await server.connect('ann'), await server.connect('bob')];
    const started = jest.spyOn(server.get(MessagingService), 'send');
    await whileLocked(async () => {
      for (let id = 1; id <= 300; id++) client.raw(sendText(room, id));
      await until(() => started.mock.calls.length >= 64, '64 are under way');
      for (let i = 0; i < 20; i++) await other.command('ping');
      expect(started).toHaveBeenCalledTimes(64);
      expect(client.frames.filter(({ event }) => event !== 'hello')).toEqual([]);
    });
    started.mockRestore();
    await until(() => client.frames.length === 301, 'all are answered');
    const answers = client.frames.slice(1);
    expect(answers.every(({ event }) => event === 'ack')).toBe(true);
    expect(answers.map(({ id, data }) => [id, (data as { seq: number }).seq])).toEqual(answers.map(({ id }) => [id, id]));
    for (const one of [client, other]) await one.close();
  });
});

describe('a command that waits for its turn', () => {
  const ban = (user: string) => {
    const authorization = `Bearer ${server.test.token('root', { roles: ['admin'] })}`;
    return server.http(null, 'PUT', `/v1/admin/users/${user}/ban`, undefined, { authorization });
  };
  const expire = (user: string) => {
    const session = sessionOf(user);
    session.renew({ ...session.principal, expiresAt: Date.now() });
  };

  it.each<[string, (user: string) => unknown]>([
    ['banned', ban],
    ['expired', expire],
  ])('is not done when its user is %s until then', async (user, end) => {
    const room = await server.room('ann', 'private', [user]);
    const client = await server.connect(user);
    const session = sessionOf(user);
    await whileLocked(async () => {
      client.raw(sendText(room, 1));
      client.raw(JSON.stringify({ id: 2, event: 'room.leave', data: { room } }));
      await client.command('ping', {}, 3);
      await end(user);
    });
    await session.idle();
    const { items } = (await server.http('ann', 'GET', `/v1/rooms/${room}/members`)).body as { items: { user: string }[] };
    expect(items.map((member) => member.user).sort()).toEqual(['ann', user]);
    await client.terminate();
  });
});

describe('the heartbeat', () => {
  it('lets a client live whose pongs are not read, since its commands wait for the database', async () => {
    const room = await server.room('ann', 'private');
    const client = await server.connect('ann');
    const heartbeat = server.get(Heartbeat);
    await whileLocked(async () => {
      for (let id = 1; id <= 80; id++) client.raw(sendText(room, id));
      await until(() => sessionOf('ann').isReadPaused, 'the socket is not read');
      for (let beat = 1; beat <= 5; beat++) heartbeat.sweep(Date.now() + beat * 30_000);
    });
    await until(() => client.frames.filter(({ event }) => event === 'ack').length === 80, 'all are answered');
    await client.command('ping', {}, 100);
    await client.close();
  });

  it('drops a client that is read and lets two pings go unanswered', async () => {
    const client = await RawSocket.open(server.wsUrl, server.test.token('mute'));
    const heartbeat = server.get(Heartbeat);
    for (let beat = 1; beat <= 4; beat++) heartbeat.sweep(Date.now() + beat * 30_000);
    await client.until(() => client.closeCode === 4012);
    client.socket.destroy();
  });
});

describe('slow consumers', () => {
  /** A socket of this user that follows the room and no longer reads. */
  async function stalled(user: string, room: string): Promise<RawSocket> {
    const socket = await RawSocket.open(server.wsUrl, server.test.token(user));
    socket.command(1, 'room.subscribe', { room });
    socket.command(2, 'presence.watch', { room });
    await socket.until(() => socket.json().filter(({ event }) => event === 'ack').length === 2);
    socket.socket.pause();
    return socket;
  }

  /** Sends until the condition holds. @returns how many were sent */
  async function fill(sender: ChatClient, room: string, isEnough: () => boolean): Promise<number> {
    let sent = 0;
    while (!isEnough()) {
      if (sent > 2_000) throw new Error('the kernel takes everything');
      await sender.command('message.send', { room, clientId: `fill ${++sent}`, text: LONG });
    }
    return sent;
  }

  it('who does not read is closed with 4008, having had no gap, while others get everything', async () => {
    const room = await server.room('ann', 'private', ['slow', 'quick']);
    const [ann, quick] = [await server.connect('ann'), await server.connect('quick')];
    await quick.command('room.subscribe', { room });
    const slow = await stalled('slow', room);
    const session = sessionOf('slow');
    let largest = 0;
    const count = await fill(ann, room, () => {
      largest = Math.max(largest, session.connection.unsentBytes);
      return session.connection.isClosing;
    });
    expect(largest).toBeLessThan(1_048_576 + 100_000);
    await until(() => quick.events(room).length === count, 'the other has everything');
    expect(quick.events(room).map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    slow.socket.resume();
    await slow.until(() => slow.closeCode !== undefined);
    expect(slow.closeCode).toBe(4008);
    const heard = slow.json().filter(({ seq }) => seq !== undefined);
    expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: heard.length }, (_, i) => i + 1));
    slow.socket.destroy();
    for (const client of [ann, quick]) await client.close();
  });

  it('over 256 KiB it loses ephemeral events and is not read; later it has the latest state of each user', async () => {
    const room = await server.room('ann', 'private', ['slow2', 'quick2', 'moody']);
    const [ann, quick, moody] = [await server.connect('ann'), await server.connect('quick2'), await server.connect('moody')];
    await quick.command('presence.watch', { room });
    const slow = await stalled('slow2', room);
    const session = sessionOf('slow2');
    const count = await fill(ann, room, () => session.connection.unsentBytes > 300_000);
    expect(session.connection.isSlow).toBe(true);

    const dispatched: string[] = [];
    const sessions = server.get(Sessions);
    const real = sessions.dispatch;
    sessions.dispatch = (from, frame, cameAt) => {
      if (from === session) dispatched.push(frame.event);
      return real(from, frame, cameAt);
    };
    slow.command(3, 'ping', {});
    const isOf = (status: string) => (frame: { event: string; data: { user?: unknown; status?: unknown } }) =>
      frame.event === 'presence.changed' && frame.data.user === 'moody' && frame.data.status === status;
    for (const status of ['away', 'busy', 'online', 'away', 'busy']) {
      const told = quick.next(isOf(status));
      await moody.command('presence.set', { status });
      await told;
    }
    expect(dispatched).toEqual([]);
    slow.socket.resume();
    await slow.until(() => slow.json().some(({ id }) => id === 3) && slow.json().some(isOf('busy')));
    sessions.dispatch = real;
    const changes = slow.json().filter(({ event, data }) => event === 'presence.changed' && data['user'] === 'moody');
    expect(changes.map(({ data }) => data['status'])).toEqual(['busy']);
    const events = slow.json().filter(({ seq }) => seq !== undefined);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    slow.socket.destroy();
    for (const client of [ann, quick, moody]) await client.close();
  });
});

describe('floods', () => {
  let limited: ChatServer | undefined;
  afterEach(async () => {
    await limited?.close();
    limited = undefined;
  });

  it('pings of the protocol below are answered, and a flood of them closes with 4013', async () => {
    const client = await server.connect('pinger');
    const pong = new Promise((resolve) => client.socket.once('pong', resolve));
    client.socket.ping();
    await pong;
    for (let i = 0; i < 500; i++) client.socket.ping();
    expect((await client.closed).code).toBe(4013);
  });

  it('with limits on, the commands over them are rate_limited, with the time to wait', async () => {
    limited = await ChatServer.start({ LIMITS: 'on', LIMIT_COMMANDS: '1/500' });
    const [client, sameUser, other] = [await limited.connect('flooder'), await limited.connect('flooder'), await limited.connect('calm')];
    const began = performance.now();
    for (let id = 1; id <= 700; id++) client.raw(JSON.stringify({ id, event: 'ping' }));
    await until(() => client.frames.length === 701, 'all are answered');
    const refused = client.frames.filter(({ event }) => event === 'error');
    expect(refused.length).toBeGreaterThan(200 - 2 - (performance.now() - began) / 1_000);
    expect(refused.length).toBeLessThanOrEqual(200);
    for (const { id, data } of refused) {
      expect(id).toBeGreaterThan(500);
      expect(data).toEqual({ code: 'rate_limited', message: expect.any(String), retryable: true, retryAfterMs: expect.any(Number) });
      expect((data as { retryAfterMs: number }).retryAfterMs).toBeGreaterThanOrEqual(1);
    }
    // By user, not by connection: so few would be nothing to a connection that has its own. And nobody else is held back.
    const burst = Array.from({ length: 20 }, () => sameUser.command('ping').catch((error: { code: string }) => error.code));
    expect(await Promise.all(burst)).toContain('rate_limited');
    await other.command('ping');
    for (const one of [client, sameUser, other]) await one.close();
  });

  it("line 33: a connection has a limit of its own, below its user's", async () => {
    limited = await ChatServer.start({ LIMITS: 'on', LIMIT_COMMANDS_PER_CONNECTION: '1/20' });
    const [one, another] = [await limited.connect('twofold'), await limited.connect('twofold')];
    const burst = Array.from({ length: 100 }, () => one.command('ping').catch((error: { code: string }) => error.code));
    expect((await Promise.all(burst)).filter((answer) => answer === 'rate_limited').length).toBeGreaterThan(0);
    // The user himself has some left.
    await another.command('ping');
    for (const client of [one, another]) await client.close();
  });

  it('more than 1,000 refused frames in ten seconds close with 4013, whatever is taken in between', async () => {
    const client = await server.connect('deaf');
    const limits = jest.spyOn(server.get(RateLimits), 'takeCommand').mockReturnValue(700);
    for (let id = 1; id <= 999; id++) client.raw(JSON.stringify({ id, event: 'ping' }));
    await until(() => client.frames.length === 1_000, 'all are refused');
    limits.mockRestore();
    await client.command('ping', {}, 1_000);
    jest.spyOn(server.get(RateLimits), 'takeCommand').mockReturnValue(700);
    // What is no command counts too.
    for (const text of ['{"event":"nothing"}', '{"id":1001,"event":"ping"}']) client.raw(text);
    expect((await client.closed).code).toBe(4013);
    jest.restoreAllMocks();
  });
});

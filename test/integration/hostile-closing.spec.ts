import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Authenticator } from '../../src/auth/authenticator.js';
import { Sql } from '../../src/database/sql.js';
import { Heartbeat } from '../../src/realtime/heartbeat.js';
import { ChatClient, refusedUpgrade } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { RawSocket } from '../support/raw-socket.js';
import { timed } from '../support/stopwatch.js';
import { until } from '../support/until.js';

let server: ChatServer;
beforeAll(async () => {
  server = await ChatServer.start();
});
afterAll(() => server.close());

const seconds = () => Math.floor(Date.now() / 1000);

describe('an open socket and its token', () => {
  it('line 16: it is warned 60 s ahead, refreshed in band, and not closed by the old expiry', async () => {
    const heartbeat = server.get(Heartbeat);
    const exp = seconds() + 3_600;
    const client = await server.connect('refreshing', { token: server.test.token('refreshing', { exp }) });
    const warnings = () => client.frames.filter(({ event }) => event === 'auth.expiring');
    heartbeat.sweep(exp * 1000 - 60_001);
    await client.command('ping');
    expect(warnings()).toHaveLength(0);
    heartbeat.sweep(exp * 1000 - 60_000);
    heartbeat.sweep(exp * 1000 - 59_000);
    await client.command('ping');
    expect(warnings()).toEqual([{ event: 'auth.expiring', data: { expiresAt: new Date(exp * 1000).toISOString() } }]);

    const later = exp + 30;
    const token = server.test.token('refreshing', { exp: later });
    expect(await client.command('auth.refresh', { token })).toEqual({ expiresAt: new Date(later * 1000).toISOString() });
    heartbeat.sweep(exp * 1000 + 1);
    await client.command('ping');
    expect(warnings()).toHaveLength(2); // of the new token
    heartbeat.sweep(later * 1000);
    expect((await client.closed).code).toBe(4100);
  });

  it('line 16: it is closed with 4100 at the expiry of its token', async () => {
    const exp = seconds() + 4;
    const client = await server.connect('expiring', { token: server.test.token('expiring', { exp }) });
    await client.seen(({ event }) => event === 'auth.expiring');
    const leftMs = exp * 1000 - Date.now();
    const { result, waitedMs } = await timed(client.closed);
    expect(result.code).toBe(4100);
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
    expect(waitedMs).toBeLessThan(leftMs + 2_500);
  });

  it('line 16: a refresh with another sub, or a bad token, is refused, and changes nothing', async () => {
    const exp = seconds() + 3_600;
    const client = await server.connect('himself', { token: server.test.token('himself', { exp }) });
    const bad: [string, string][] = [
      [server.test.token('another', { exp: exp + 60 }), 'forbidden'],
      [server.test.token('himself', { exp: seconds() - 1 }), 'unauthenticated'],
      [server.signed({ sub: 'himself' }, {}, 'another secret that is long enough to be one'), 'unauthenticated'],
      [server.signed({ sub: 'himself', aud: 'other' }), 'unauthenticated'],
      ['nonsense', 'unauthenticated'],
    ];
    for (const [token, code] of bad) await expect(client.command('auth.refresh', { token })).rejects.toMatchObject({ code });
    server.get(Heartbeat).sweep(exp * 1000);
    expect((await client.closed).code).toBe(4100);
  });

  it('line 16: the new claims hold for later commands, and those of a refreshed login end with it', async () => {
    const { body } = await server.http(null, 'POST', '/v1/auth/register', { username: 'renewed', password: 'correct horse battery' });
    const { accessToken, refreshToken, user } = body as { accessToken: string; refreshToken: string; user: { id: string } };
    const client = await server.connect(user.id);
    await client.command('auth.refresh', { token: accessToken });
    await server.http(null, 'POST', '/v1/auth/logout', { refreshToken });
    expect((await client.closed).code).toBe(4101);
  });
});

describe('what ends a login', () => {
  it('logout closes the sockets of that login with 4101, and its token opens none', async () => {
    const account = { username: 'leaver', password: 'correct horse battery staple' };
    const first = (await server.http(null, 'POST', '/v1/auth/register', account)).body as Record<string, string>;
    const second = (await server.http(null, 'POST', '/v1/auth/login', account)).body as Record<string, string>;
    const leaving = await ChatClient.connect(server.wsUrl, { token: first['accessToken']! });
    const staying = await ChatClient.connect(server.wsUrl, { token: second['accessToken']! });
    const { status } = await server.http(null, 'POST', '/v1/auth/logout', { refreshToken: first['refreshToken'] });
    expect(status).toBe(204);
    expect((await leaving.closed).code).toBe(4101);
    expect((await refusedUpgrade(server.wsUrl, { token: first['accessToken']! })).status).toBe(401);
    await expect(staying.command('auth.refresh', { token: first['accessToken'] })).rejects.toMatchObject({ code: 'unauthenticated' });
    await staying.command('ping');
    await staying.close();
  });

  it('a ban closes every socket of the user with 4203, and further handshakes are 403', async () => {
    const troll = await Promise.all([server.connect('troll'), server.connect('troll')]);
    const other = await server.connect('bystander');
    const admin = { authorization: `Bearer ${server.test.token('root', { roles: ['admin'] })}` };
    expect((await server.http(null, 'PUT', '/v1/admin/users/troll/ban', undefined, admin)).status).toBe(204);
    for (const client of troll) expect((await client.closed).code).toBe(4203);
    const { status, body } = await refusedUpgrade(server.wsUrl, { token: server.test.token('troll') });
    expect([status, body.code]).toEqual([403, 'forbidden']);
    await other.command('ping');
    await server.http(null, 'DELETE', '/v1/admin/users/troll/ban', undefined, admin);
    await (await server.connect('troll')).close();
    await other.close();
  });

  it('line 17: a ban that comes while the user is let in keeps him out', async () => {
    const authenticator = server.get(Authenticator);
    const real = authenticator.authenticateUpgrade.bind(authenticator);
    let letGo = () => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    // Everything has been asked by then, and the answer is on its way.
    const held = jest.spyOn(authenticator, 'authenticateUpgrade').mockImplementation(async (request) => {
      const principal = await real(request);
      await gate;
      return principal;
    });
    const refused = refusedUpgrade(server.wsUrl, { token: server.test.token('quick') });
    await until(() => held.mock.calls.length === 1, 'the user is being authenticated');
    const admin = { authorization: `Bearer ${server.test.token('root', { roles: ['admin'] })}` };
    await server.http(null, 'PUT', '/v1/admin/users/quick/ban', undefined, admin);
    letGo();
    expect((await refused).status).toBe(403);
    held.mockRestore();
  });
});

describe('caps', () => {
  it('line 3: one user opens so many sockets and no more, however many he asks for at once', async () => {
    const small = await ChatServer.start({ CONNECTIONS_PER_USER: '3' });
    const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => small.connect('greedy')));
    const open = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    expect(open).toHaveLength(3);
    const { status, headers, body } = await refusedUpgrade(small.wsUrl, { token: small.test.token('greedy') });
    expect([status, body.code]).toEqual([429, 'rate_limited']);
    expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
    // A browser cannot read that, and asks.
    expect(await small.http('greedy', 'GET', '/v1/me')).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect((await small.http('greedy', 'GET', '/v1/me/rooms')).status).toBe(200);
    await (await small.connect('modest')).close();
    await open[0]!.close();
    await (await small.connect('greedy')).close();
    await small.close();
  });

  it('line 3: one address opens so many sockets and no more, whoever they are for', async () => {
    const small = await ChatServer.start({ LIMITS: 'on', LIMIT_HANDSHAKES: '1/5' });
    const attempts = await Promise.allSettled(Array.from({ length: 60 }, (_, index) => small.connect(`visitor-${index}`)));
    const refused = attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [String(attempt.reason)] : []));
    expect(attempts.length - refused.length).toBeGreaterThanOrEqual(5);
    expect(refused.length).toBeGreaterThan(0);
    for (const reason of refused) expect(reason).toContain('429');
    await small.close();
  });

  it('line 4: X-Forwarded-For does not make a new client of an old one', async () => {
    const limited = await ChatServer.start({ LIMITS: 'on' });
    const { RateLimits } = await import('../../src/limits/rate-limits.js');
    const take = jest.spyOn(limited.get(RateLimits), 'takeHandshake');
    const headers = { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.7', 'x-real-ip': '203.0.113.7' };
    await (await limited.connect('u1', { headers })).close();
    expect(take.mock.calls).toEqual([['127.0.0.1']]);
    take.mockReturnValue(1_500);
    const refused = await refusedUpgrade(limited.wsUrl, { token: limited.test.token('u1') });
    expect([refused.status, refused.body.code, refused.headers['retry-after']]).toEqual([429, 'rate_limited', '2']);
    await limited.close();
  });
});

describe('leaving', () => {
  it('a drain is announced, served until then, and closed with 4001, while handshakes are refused with 503, and no refusal is lost', async () => {
    const leaving = await ChatServer.start({ DRAIN_MS: '1500', DATABASE_URL: server.test.databaseUrl });
    const clients = await Promise.all(['a', 'b', 'c'].map((user) => leaving.connect(user)));
    const room = await leaving.room('a', 'public');
    const raw = await RawSocket.open(leaving.wsUrl, leaving.test.token('d'));
    const ended = leaving.close();
    const announced = await Promise.all(clients.map((client) => client.seen(({ event }) => event === 'drain')));
    for (const { data } of announced) expect((data as { reconnectInMs: number }).reconnectInMs).toBeLessThanOrEqual(1_500);
    expect(new Set(announced.map(({ data }) => (data as { reconnectInMs: number }).reconnectInMs)).size).toBe(3);
    const sent = await clients[0]!.command('message.send', { room, clientId: 'last', text: 'still here' });
    expect(sent).toMatchObject({ seq: 1, duplicate: false });
    // More than have a row each: nothing comes to write a count when the server is gone.
    const renewals = await Promise.allSettled(Array.from({ length: 30 }, () => clients[1]!.command('auth.refresh', { token: 'nonsense' })));
    expect(renewals.map((each) => each.status)).toEqual(Array(30).fill('rejected'));
    const { status, body } = await refusedUpgrade(leaving.wsUrl, { token: leaving.test.token('e') });
    expect([status, body.code]).toEqual([503, 'unavailable']);
    // A browser sees no more than 1006: it asks here, and a balancer there.
    expect((await leaving.http('e', 'GET', '/v1/me')).status).toBe(503);
    const ready = await fetch(`${leaving.test.url}/health/ready`);
    expect([ready.status, await ready.json()]).toMatchObject([503, { status: 'down', dependencies: { database: { status: 'up' } } }]);
    for (const client of clients) expect((await client.closed).code).toBe(4001);
    await raw.until(() => raw.closeCode !== undefined);
    expect(raw.closeCode).toBe(4001);
    await ended; // also though the raw socket never answers the close
    const text = `SELECT sum(coalesce((details ->> 'folded')::int, 1))::int AS refusals FROM audit_log WHERE action = 'access.renewal' AND actor_id = $1`;
    expect(await server.get(Sql).query({ name: 'refused_renewals', text }, ['b'])).toEqual([{ refusals: 30 }]);
  });
});

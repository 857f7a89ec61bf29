import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Authenticator } from '../../src/auth/authenticator.js';
import type { Principal } from '../../src/auth/principal.js';
import { RoomBus } from '../../src/bus/room-bus.js';
import { Sql } from '../../src/database/sql.js';
import { type AuthApp, foreignToken, startAuthApp } from '../support/auth-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { recorded } from '../support/quiet-changes.js';

let database: TestDatabase;
let server: AuthApp;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await startAuthApp(database.url);
});

beforeEach(() => {
  jest.restoreAllMocks();
});

afterAll(async () => {
  await server.close();
  await database.drop();
});

const open = (headers: IncomingHttpHeaders, url = '/ws', app = server): Promise<Principal> =>
  app.app.get(Authenticator).authenticateUpgrade({ headers, url } as IncomingMessage);

const outcome = async (attempt: Promise<Principal>) =>
  attempt.then(
    (principal) => principal.userId,
    (error: { code?: string }) => error.code,
  );

async function ticketFor(token: string): Promise<string> {
  const { body } = await server.http.post('/v1/auth/tickets').auth(token, { type: 'bearer' }).expect(201);
  return (body as { ticket: string }).ticket;
}

describe('the ladder', () => {
  it('opens by each rung', async () => {
    const bearer = `Bearer ${foreignToken({ sub: 'a' })}`;
    expect(await outcome(open({ authorization: bearer }))).toBe('a');
    expect(await outcome(open({ 'sec-websocket-protocol': `parley.v1, bearer.${foreignToken({ sub: 'b' })}` }))).toBe('b');
    expect(await outcome(open({}, `/ws?ticket=${await ticketFor(foreignToken({ sub: 'c' }))}`))).toBe('c');
    expect(await outcome(open({}, `/ws?access_token=${foreignToken({ sub: 'd' })}`))).toBe('d');
  });

  it('lets the first that is there decide: a bad Authorization with a good ticket is refused, and the ticket kept', async () => {
    const ticket = await ticketFor(foreignToken({ sub: 'c' }));
    expect(await outcome(open({ authorization: 'Bearer nonsense' }, `/ws?ticket=${ticket}`))).toBe('unauthenticated');
    expect(await outcome(open({ 'sec-websocket-protocol': 'parley.v1, bearer.nonsense' }, `/ws?ticket=${ticket}`))).toBe('unauthenticated');
    expect(await outcome(open({ 'sec-websocket-protocol': `bearer.${foreignToken()}` }, `/ws?ticket=${ticket}`))).toBe('validation_failed');
    expect(await outcome(open({}, `/ws?ticket=nonsense&access_token=${foreignToken()}`))).toBe('unauthenticated');
    expect(await outcome(open({}, `/ws?ticket=${ticket}`))).toBe('c');
  });

  it('has no query token with WS_QUERY_TOKEN=false', async () => {
    const strict = await startAuthApp(database.url, { WS_QUERY_TOKEN: 'false' });
    expect(await outcome(open({}, `/ws?access_token=${foreignToken()}`, strict))).toBe('unauthenticated');
    expect(await outcome(open({}, `/ws?ticket=${await ticketFor(foreignToken({ sub: 'c' }))}`, strict))).toBe('c');
    await strict.close();
  });

  it('refuses banned users and revoked logins', async () => {
    const bus = server.app.get(RoomBus);
    bus.publishAct(recorded({ kind: 'user.banned', user: 'troll', at: Date.now() }));
    bus.publishAct(recorded({ kind: 'session.revoked', session: 's-gone', user: 'a' }));
    const by = (claims: object) => open({ authorization: `Bearer ${foreignToken({ ...claims })}` });
    expect(await outcome(by({ sub: 'troll' }))).toBe('forbidden');
    expect(await outcome(by({ sid: 's-gone' }))).toBe('unauthenticated');
  });

  it('fails closed when the database is away', async () => {
    jest.spyOn(server.app.get(Sql), 'query').mockRejectedValue(new Error('away'));
    await expect(open({ authorization: `Bearer ${foreignToken({ sub: 'never seen before' })}` })).rejects.toThrow();
    await expect(open({}, '/ws?ticket=any')).rejects.toThrow();
  });
});

describe('tickets', () => {
  it('carry the claims and the expiry of their token', async () => {
    const exp = Math.floor(Date.now() / 1000) + 40;
    const claims = { sub: 'e', name: 'Eve', roles: ['admin'], sid: 's1', jti: 'j1', exp };
    const token = foreignToken(claims);
    const before = Date.now();
    const { body } = await server.http.post('/v1/auth/tickets').auth(token, { type: 'bearer' }).expect(201);
    const { ticket, expiresAt } = body as { ticket: string; expiresAt: string };
    expect(Date.parse(expiresAt)).toBeGreaterThan(before + 29_000); // by the clock of PostgreSQL, which may be another machine's
    expect(Date.parse(expiresAt)).toBeLessThan(Date.now() + 31_000);
    const byTicket = await open({}, `/ws?ticket=${ticket}`);
    expect(byTicket).toEqual(await open({ authorization: `Bearer ${token}` }));
    expect(byTicket.expiresAt).toBe(exp * 1000);
  });

  it('need a token', async () => {
    await server.http.post('/v1/auth/tickets').expect(401);
  });

  it('work once, of many attempts at once too', async () => {
    const ticket = await ticketFor(foreignToken({ sub: 'c' }));
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => outcome(open({}, `/ws?ticket=${ticket}`))));
    expect(outcomes.filter((user) => user === 'c')).toHaveLength(1);
    expect(await outcome(open({}, `/ws?ticket=${ticket}`))).toBe('unauthenticated');
  });

  it('work once across servers', async () => {
    const other = await startAuthApp(database.url);
    const ticket = await ticketFor(foreignToken({ sub: 'c' }));
    const outcomes = await Promise.all([open({}, `/ws?ticket=${ticket}`), open({}, `/ws?ticket=${ticket}`, other)].map(outcome));
    expect(outcomes.sort()).toEqual(['c', 'unauthenticated']);
    await other.close();
  });

  it('do not work after 30 s, nor after the end of their token', async () => {
    const late = await ticketFor(foreignToken({ sub: 'c' }));
    await server.app
      .get(Sql)
      .query({ name: 'age_tickets', text: `UPDATE tickets SET expires_at = expires_at - interval '31 seconds'` }, []);
    expect(await outcome(open({}, `/ws?ticket=${late}`))).toBe('unauthenticated');
    const ending = await ticketFor(foreignToken({ sub: 'c', exp: Math.floor(Date.now() / 1000) + 20 }));
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 20_000);
    expect(await outcome(open({}, `/ws?ticket=${ending}`))).toBe('unauthenticated');
  });

  it('are not stored as they are, and old ones are cleared away', async () => {
    const sql = server.app.get(Sql);
    await sql.query({ name: 'age_all', text: `UPDATE tickets SET expires_at = clock_timestamp() - interval '1 minute'` }, []);
    const ticket = await ticketFor(foreignToken());
    const stored = await sql.query<{ hash: string }>(
      { name: 'all_tickets', text: `SELECT encode(hash, 'escape') AS hash FROM tickets` },
      [],
    );
    expect(stored).toHaveLength(1);
    expect(stored[0]!.hash).not.toContain(ticket);
  });
});

describe('provisioning', () => {
  it('makes 1,000 users who arrive at once known in a few statements, and costs none for those who come again', async () => {
    const tokens = Array.from({ length: 1_000 }, (_, i) => foreignToken({ sub: `crowd-${i}`, name: `N${i}` }));
    const query = jest.spyOn(server.app.get(Sql), 'query');
    const arrive = () => Promise.all(tokens.map((token) => open({ authorization: `Bearer ${token}` })));
    await arrive();
    expect(query.mock.calls.length).toBeLessThanOrEqual(30);
    query.mockClear();
    await arrive();
    expect(query).not.toHaveBeenCalled();
    query.mockRestore();
    const [row] = await server.app
      .get(Sql)
      .query<{ count: string }>({ name: 'count_crowd', text: `SELECT count(*) FROM users WHERE id LIKE 'crowd-%' AND name LIKE 'N%'` }, []);
    expect(row!.count).toBe('1000');
  });
});

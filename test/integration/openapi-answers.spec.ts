import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { LoginLimits } from '../../src/auth/login-limits.js';
import { RateLimits } from '../../src/limits/rate-limits.js';
import { ERROR_CODES } from '../../src/protocol/index.js';
import { fetchDocument, type OpenApi } from '../support/openapi-document.js';
import { ACCOUNT, ADMIN, Conversation, MESSAGE, ROOM, ROOMS } from '../support/openapi-conversation.js';
import { exampleAsk } from '../support/openapi-inputs.js';
import { type Answer, type Ask, OpenApiRecorder } from '../support/openapi-recorder.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { startTestApp, type TestApp } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

const AT_A_TIME = 45;

let server: TestApp;
let document: OpenApi;
let recorder: OpenApiRecorder;
let conversation: Conversation;

beforeAll(async () => {
  server = await startTestApp({ GUESTS: 'on' });
  document = await fetchDocument(server.url);
  recorder = new OpenApiRecorder(document);
  conversation = new Conversation(recorder, server);
});

afterAll(() => server.close());

const routes = (matches: (operation: { isPublic: boolean; hasRoom: boolean; hasBody: boolean }) => boolean): string[] =>
  [...recorder.operations]
    .filter(([route, { security, requestBody }]) =>
      matches({
        isPublic: security === undefined,
        hasRoom: route.includes('{room}') && !route.includes(ADMIN),
        hasBody: requestBody !== undefined,
      }),
    )
    .map(([route]) => route);
const withToken = () => routes(({ isPublic }) => !isPublic);
/** Those of a room's people. */
const roomRoutes = () => routes(({ hasRoom }) => hasRoom).filter((route) => !route.includes('/admin/'));
/** A request of the route that is right by the document. */
const example = (route: string): Ask => exampleAsk(document, recorder.operations.get(route)!);

it('success, of every route in each way', async () => {
  await conversation.talk();
  expect(recorder.unseen().filter((answer) => / 2\d\d$/.test(answer))).toEqual([]);
});

describe('refusals', () => {
  it('400 of every route, for a request that cannot be read', async () => {
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`x-${i}`, '1']));
    for (const route of routes(() => true))
      await conversation.ask(route, 400, conversation.as('ada', { ...example(route), headers: many }));
  });

  it('401 of every route that needs a token, and of logging in', async () => {
    for (const route of withToken()) {
      const { token: _, ...asked } = example(route);
      await conversation.ask(route, 401, asked);
      await conversation.ask(route, 401, { ...asked, token: server.token('ada', { exp: 1 }) });
      await conversation.ask(route, 401, { ...asked, token: server.token('ada').slice(0, -2) });
    }
    await conversation.ask('POST /v1/auth/login', 401, { body: { username: 'nobody', password: 'not the right one' } });
    await conversation.ask('POST /v1/auth/refresh', 401, { body: { refreshToken: 'nothing' } });
  });

  it('403 of every route, for who is banned from the server', async () => {
    const account = { username: 'mallory', password: 'correct horse battery staple' };
    const { refreshToken, user } = (await conversation.ask('POST /v1/auth/register', 201, { body: account })) as {
      refreshToken: string;
      user: { id: string };
    };
    await conversation.ask('PUT /v1/admin/users/{user}/ban', 204, {
      token: server.token('root', { roles: ['admin'] }),
      path: { user: user.id },
    });
    for (const route of withToken()) await conversation.ask(route, 403, conversation.as(user.id, example(route)));
    await conversation.ask('POST /v1/auth/login', 403, { body: account });
    await conversation.ask('POST /v1/auth/refresh', 403, { body: { refreshToken } });
  });

  it('403 of what a room or its roles do not allow', async () => {
    for (const route of routes(() => true).filter((name) => name.includes('/admin/')))
      await conversation.ask(route, 403, conversation.as('ada', example(route)));
    const id = await conversation.room({ type: 'public', members: ['ben'] });
    const path = { room: id, user: 'ben', seq: await conversation.send('ada', id), report: randomUUID() };
    const own = ({ path: names }: Ask) => Object.fromEntries(Object.keys(names ?? {}).map((name) => [name, path[name as 'room']]));
    await conversation.ask(`PUT ${ROOM}/bans/{user}`, 200, conversation.as('ada', { path: { room: id, user: 'eve' } }));
    for (const route of roomRoutes()) {
      // The seq names a message that is there: what is missing is only the right.
      const asked = example(route);
      if (!/leave$/.test(route)) await conversation.ask(route, 403, conversation.as('eve', { ...asked, path: own(asked) }));
    }
    for (const route of [
      `PATCH ${ROOM}`,
      `DELETE ${ROOM}`,
      `PUT ${ROOM}/members/{user}`,
      `GET ${ROOM}/bans`,
      `PUT ${ROOM}/mutes/{user}`,
      `GET ${ROOM}/reports`,
      `PATCH ${MESSAGE}`,
      `DELETE ${MESSAGE}`,
    ])
      await conversation.ask(route, 403, conversation.as('ben', { ...example(route), path: own(example(route)) }));
  });

  it('404 of every room that is not there, or not the caller’s, in the same words', async () => {
    const hidden = await conversation.room({ type: 'private' });
    for (const route of roomRoutes()) {
      const asked = example(route);
      const { message, code } = (await conversation.ask(route, 404, conversation.as('stranger', asked))) as {
        message: string;
        code: string;
      };
      expect(
        await conversation.ask(route, 404, conversation.as('stranger', { ...asked, path: { ...asked.path, room: hidden } })),
      ).toMatchObject({ message, code });
    }
    for (const method of ['GET', 'PATCH', 'DELETE'])
      await conversation.ask(
        `${method} ${MESSAGE}`,
        404,
        conversation.as('ada', { path: { room: hidden, seq: 7 }, ...(method === 'PATCH' && { body: { text: 'x' } }) }),
      );
    const token = server.token('root', { roles: ['admin'] });
    for (const route of routes(({ hasRoom }) => hasRoom).filter((name) => name.includes('/admin/messages/')))
      await conversation.ask(route, 404, { ...example(route), token });
    await conversation.ask('POST /v1/admin/reports/{report}/resolve', 404, {
      ...example('POST /v1/admin/reports/{report}/resolve'),
      token,
    });
    await conversation.ask(
      'POST /v1/users/{user}/reports',
      404,
      conversation.as('ada', { path: { user: 'never seen' }, body: { reason: 'spam' } }),
    );
    const left = { headers: { 'Idempotency-Key': 'left' }, body: { type: 'private', members: ['ben'] } };
    const { id } = (await conversation.ask(`POST ${ROOMS}`, 201, conversation.as('ada', left))) as { id: string };
    await conversation.ask(
      `PUT ${ROOM}/members/{user}`,
      200,
      conversation.as('ada', { path: { room: id, user: 'ben' }, body: { role: 'owner' } }),
    );
    await conversation.ask(`POST ${ROOM}/leave`, 204, conversation.as('ada', { path: { room: id } }));
    await conversation.ask(`POST ${ROOMS}`, 404, conversation.as('ada', left));
  });

  it('404 and 409 of what an administrator asks for in vain', async () => {
    const token = server.token('root', { roles: ['admin'] });
    for (const [route] of recorder.operations) {
      const { query, body, path } = example(route);
      // What lists or ends nothing of a user who was never seen is answered all the same.
      const isOfUser =
        /\{user\}(\/(disabled|roles|sessions\/\{session\}))?$/.test(route) || route === `DELETE ${ADMIN}/users/{user}/sessions`;
      if (!route.includes(ADMIN) || !(route.includes('{room}') || isOfUser || /(access|notices)$/.test(route))) continue;
      await conversation.ask(route, 404, { token, ...(query && { query }), ...(path && { path }), ...(body !== undefined && { body }) });
    }
    await conversation.ask(`DELETE ${ADMIN}/users/{user}/sessions`, 404, { token, path: { user: 'nobody-was-ever-called-so' } });
    await conversation.ask(`GET ${ADMIN}/connections`, 404, { token, query: { room: randomUUID() } });
    for (const [route, body] of [
      ['notices', { text: 'Back soon', level: 'info' }],
      ['api-keys', { name: 'Backend', scopes: ['keys:read'] }],
    ] as const) {
      const asked = { token, headers: { 'Idempotency-Key': 'in vain' }, body };
      await conversation.ask(`POST ${ADMIN}/${route}`, route === 'notices' ? 202 : 201, asked);
      await conversation.ask(`POST ${ADMIN}/${route}`, 409, { ...asked, body: { ...body, ...(route === 'notices' && { text: 'Other' }) } });
    }
    await conversation.ask('GET /v1/me', 200, conversation.as('foreigner'));
    await conversation.ask(`PUT ${ADMIN}/users/{user}/roles`, 409, { token, path: { user: 'foreigner' }, body: { roles: [] } });
    await conversation.ask(`PUT ${ADMIN}/users/{user}/disabled`, 409, { token, path: { user: 'root' }, body: { disabled: true } });
    for (const kind of ['ban', 'mute']) await conversation.ask(`PUT ${ADMIN}/users/{user}/${kind}`, 409, { token, path: { user: 'root' } });
    const room = await conversation.room({ type: 'public' });
    const member = { room, user: 'ada' };
    await conversation.ask(`PUT ${ADMIN}/rooms/{room}/members/{user}`, 409, { token, path: member, body: { role: 'member' } });
    await conversation.ask(`DELETE ${ADMIN}/rooms/{room}/members/{user}`, 409, { token, path: member });
    await conversation.ask(`PUT ${ADMIN}/rooms/{room}/bans/{user}`, 409, { token, path: member });
    await conversation.ask(`PATCH ${ADMIN}/rooms/{room}`, 200, { token, path: { room }, body: { archived: true } });
    await conversation.ask(`PATCH ${ADMIN}/rooms/{room}`, 409, { token, path: { room }, body: { name: 'new' } });
  });

  it('404 of ways in that are off, and of keys and logins that are not there', async () => {
    const strict = await startTestApp({ LOCAL_ACCOUNTS: 'off' });
    try {
      for (const way of ['register', 'login', 'refresh', 'guest'])
        await recorder.ask(strict.url, `POST /v1/auth/${way}`, 404, example(`POST /v1/auth/${way}`));
    } finally {
      await strict.close();
    }
    const token = server.token('root', { roles: ['admin'] });
    await conversation.ask('DELETE /v1/admin/api-keys/{key}', 404, { token, path: { key: randomUUID() } });
    await conversation.ask('DELETE /v1/me/sessions/{session}', 404, { token, path: { session: randomUUID() } });
  });

  it('409 and 410 of what does not fit what is there', async () => {
    await conversation.ask('POST /v1/auth/register', 409, { body: { ...ACCOUNT, username: 'ADA' } });
    await conversation.ask('POST /v1/auth/revoke', 409, { body: { token: server.token('ada', { jti: undefined }) } });
    const key = { 'Idempotency-Key': 'used' };
    await conversation.ask(`POST ${ROOMS}`, 201, conversation.as('ada', { headers: key, body: { type: 'private' } }));
    await conversation.ask(`POST ${ROOMS}`, 409, conversation.as('ada', { headers: key, body: { type: 'public' } }));
    const id = await conversation.room({ type: 'public', members: ['ben'] });
    const inRoom = (asked: Ask = {}): Ask => conversation.as('ada', { ...asked, path: { room: id, user: 'ben', ...asked.path } });
    const only = (asked: Ask, ...names: string[]): Ask => ({
      ...asked,
      path: Object.fromEntries(names.map((name) => [name, asked.path![name]!])),
    });
    const seq = await conversation.send('ada', id);
    await conflictingDecisions(id);
    await conversation.ask(`POST ${ROOM}/leave`, 409, only(inRoom(), 'room'));
    const stale = { path: { seq }, body: { text: 'ho', ifVersion: 9 } };
    const { current } = (await conversation.ask(`PATCH ${MESSAGE}`, 409, only(inRoom(stale), 'room', 'seq'))) as { current: object };
    expect(
      recorder.faultsOf(`GET ${MESSAGE}`, only(inRoom(stale), 'room', 'seq'), made(200, current)).filter((fault) => !/no body/.test(fault)),
    ).toEqual([]);
    await conversation.ask(`PATCH ${ROOM}`, 200, only(inRoom({ body: { archived: true } }), 'room'));
    await conversation.ask(`PATCH ${ROOM}`, 409, only(inRoom({ body: { name: 'new' } }), 'room'));
    await conversation.ask(`POST ${ROOM}/join`, 409, conversation.as('guest', { path: { room: id } }));
    await conversation.ask(
      `POST ${ROOM}/messages`,
      409,
      only(inRoom({ headers: { 'Idempotency-Key': 'late' }, body: { text: 'x' } }), 'room'),
    );
    await conversation.ask(`DELETE ${MESSAGE}`, 409, only(inRoom({ path: { seq } }), 'room', 'seq'));
    await conversation.ask(`PUT ${ROOM}/members/{user}`, 409, inRoom({ body: { role: 'owner' } }));
    // To remove oneself is to leave, which the last owner cannot.
    await conversation.ask(`DELETE ${ROOM}/members/{user}`, 409, inRoom({ path: { user: 'ada' } }));
    await server.app.get(DataSource).query('UPDATE rooms SET first_seq = 2 WHERE id = $1', [id]);
    await conversation.ask(`GET ${ROOM}/events`, 410, only(inRoom({ query: { after: 0 } }), 'room'));
  });

  /** Reports that were decided, in the room and by an administrator, and a message that its sender deleted. */
  async function conflictingDecisions(room: string): Promise<void> {
    const token = server.token('root', { roles: ['admin'] });
    const complaint = { path: { room, seq: await conversation.send('ben', room) }, body: { reason: 'spam' } };
    const { id: report } = (await conversation.ask(`POST ${MESSAGE}/reports`, 201, conversation.as('ada', complaint))) as { id: string };
    const decide = (decision: string) => ({ decision, reason: 'x' });
    const inRoom = (decision: string) => conversation.as('ada', { path: { room, report }, body: decide(decision) });
    await conversation.ask(`POST ${ROOM}/reports/{report}/resolve`, 200, inRoom('dismiss'));
    await conversation.ask(`POST ${ROOM}/reports/{report}/resolve`, 409, inRoom('remove'));
    await conversation.ask('POST /v1/admin/reports/{report}/resolve', 200, { token, path: { report }, body: decide('mute') });
    await conversation.ask('POST /v1/admin/reports/{report}/resolve', 409, { token, path: { report }, body: decide('remove') });
    await conversation.ask('DELETE /v1/admin/users/{user}/mute', 204, { token, path: { user: 'ben' } });
    const gone = { room, seq: await conversation.send('ada', room) };
    await conversation.ask(`DELETE ${MESSAGE}`, 200, conversation.as('ada', { path: gone }));
    await conversation.ask('POST /v1/admin/messages/{room}/{seq}/restore', 409, { token, path: gone, body: { reason: 'x' } });
  }

  it('413 of every route that takes a body', async () => {
    const raw = JSON.stringify({ text: 'x'.repeat(300_000) });
    for (const route of routes(({ hasBody }) => hasBody))
      await conversation.ask(route, 413, conversation.as('ada', { ...example(route), raw }));
  });
});

describe('rate limits', () => {
  let limited: TestApp;
  beforeAll(async () => {
    limited = await startTestApp({ LIMITS: 'on', GUESTS: 'on' });
  });
  afterAll(() => limited.close());

  /** Asks with nothing left of the limit, as often as that is filled up in between. */
  const askInVain = async (route: string, exhaust: () => unknown, asked: Ask) => {
    const isRefused = async () => {
      await exhaust();
      const { code } = ((await recorder.ask(limited.url, route, [200, 201, 202, 204, 401, 403, 404, 409, 410, 429], asked)) ?? {}) as {
        code?: string;
      };
      return code === 'rate_limited';
    };
    await until(isRefused, `${route} is refused by 429`);
  };

  it('429 of every route that needs a token', async () => {
    const limits = limited.app.get(RateLimits, { strict: false });
    const exhaust = () => {
      while (limits.takeCommand('busy') === 0);
    };
    for (const route of withToken()) await askInVain(route, exhaust, { token: limited.token('busy'), ...example(route) });
  });

  it('429 of every route without a token, probes excepted', async () => {
    const limits = limited.app.get(RateLimits, { strict: false });
    const exhaust = () => {
      while (limits.takeRequest('127.0.0.1') === 0);
    };
    const open = routes(() => true).filter((route) => !withToken().includes(route) && !route.includes('/health/'));
    expect(open).toContain('POST /v1/auth/refresh');
    for (const route of open) await askInVain(route, exhaust, example(route));
  });

  it('429 of making accounts, of logging in and of guests', async () => {
    const limits = limited.app.get(LoginLimits, { strict: false });
    const until429 = async (attempt: () => Promise<void>) => {
      for (;;)
        if (
          await attempt().then(
            () => false,
            () => true,
          )
        )
          return;
    };
    await askInVain('POST /v1/auth/register', () => until429(() => limits.attemptRegistration('127.0.0.1')), { body: ACCOUNT });
    await askInVain('POST /v1/auth/login', () => until429(() => limits.attemptLogin('ada', '127.0.0.1')), { body: ACCOUNT });
    await askInVain('POST /v1/auth/guest', () => until429(() => limits.attemptGuest('127.0.0.1')), { body: {} });
  });
});

describe('a database that', () => {
  // A user whom the server has seen is let in from memory, so that the route itself meets the database; settings and tokens need it for nobody else.
  const known = () => failing.token('ada', { roles: ['admin'] });
  const failures = () => routes(() => true).filter((route) => !route.includes('/health/'));
  // Changes of one room wait for each other: each route has a room of its own, so that each meets the database.
  const ownExample = (route: string): Ask => {
    const ask = example(route);
    // A token that does not count is answered without the database.
    if (route === 'POST /v1/auth/revoke') return { body: { token: known() } };
    return ask.path?.room === undefined ? ask : { ...ask, path: { ...ask.path, room: randomUUID() } };
  };
  const isServed = async () => {
    const answer = (await recorder.ask(failing.url, 'GET /v1/me', [200, 500, 503], { token: known() })) as { id?: string };
    return answer.id !== undefined;
  };
  /** @param hurt what is wrong while some routes are asked; then it is mended, since nobody is let in whom the changes were not read for */
  const askAll = async (code: 'internal' | 'unavailable' | 'timeout', hurt?: () => Promise<unknown>, mend?: () => Promise<unknown>) => {
    // Fewer at a time than there are connections: who waits for one is answered otherwise.
    for (let left = failures(); left.length > 0; left = left.slice(AT_A_TIME)) {
      if (hurt) await until(isServed, 'the changes are read');
      await hurt?.();
      await askSome(left.slice(0, AT_A_TIME), code);
      await mend?.();
    }
  };
  const askSome = (some: string[], code: 'internal' | 'unavailable' | 'timeout') =>
    Promise.all(
      some.map((route) => {
        const token = /\/(settings|admin\/tokens)$/.test(route) ? failing.token(`new to ${code}`, { roles: ['admin'] }) : known();
        const isAnswered = async () => {
          const statuses = code === 'unavailable' ? [503, 504] : ERROR_CODES[code].status;
          return ((await recorder.ask(failing.url, route, statuses, { token, ...ownExample(route) })) as { code: string }).code === code;
        };
        // A connection may be used once more before its loss is noticed: that is a timeout.
        return until(isAnswered, `${route} is answered by ${code}`);
      }),
    );
  let database: TestDatabase;
  let proxy: TcpProxy;
  let failing: TestApp;
  let direct: pg.Client;
  beforeAll(async () => {
    database = await createTestDatabase();
    const url = new URL(database.url);
    proxy = await TcpProxy.to(url.hostname, Number(url.port));
    url.hostname = '127.0.0.1';
    url.port = String(proxy.port);
    failing = await startTestApp({ DATABASE_URL: url.href, DATABASE_POOL: '60', GUESTS: 'on' });
    await recorder.ask(failing.url, 'GET /v1/me', 200, { token: known() });
    direct = new pg.Client({ connectionString: database.url });
    await direct.connect();
  });
  afterAll(async () => {
    await failing.close();
    await direct.end();
    await database.drop();
  });

  const tables = async () => {
    const { rows } = await direct.query<{ name: string }>(`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`);
    return rows.map(({ name }) => name);
  };

  /** What locks table after table may meet what another does, and is then the one that gives way. */
  async function persist(statements: string): Promise<void> {
    try {
      await direct.query(statements);
    } catch (error) {
      if ((error as pg.DatabaseError).code !== '40P01') throw error;
      await direct.query('ROLLBACK');
      await persist(statements);
    }
  }

  it('does not answer: 504 of every route', async () => {
    const lock = `BEGIN; LOCK TABLE ${(await tables()).join(', ')} IN ACCESS EXCLUSIVE MODE`;
    await askAll(
      'timeout',
      () => persist(lock),
      () => direct.query('ROLLBACK'),
    );
  }, 90_000);

  it('is not as it was: 500 of every route', async () => {
    const rename = (from: string, to: string) => names.map((name) => `ALTER TABLE ${from}${name} RENAME TO ${to}${name}`).join('; ');
    const names = await tables();
    await askAll(
      'internal',
      () => persist(rename('', 'lost_')),
      () => persist(rename('lost_', '')),
    );
  }, 90_000);

  it('is away: 503 of every route, and of the probe', async () => {
    await proxy.close();
    await askAll('unavailable');
    await recorder.ask(failing.url, 'GET /health/ready', 503);
    await recorder.ask(failing.url, 'GET /health/live', 200);
  });
});

it('nothing that the document promises is left unseen', () => {
  expect(recorder.unseen()).toEqual([]);
});

const made = (status: number, body: unknown): Answer => {
  const headers = new Headers({ 'content-type': 'application/json; charset=utf-8' });
  return { status, headers, text: body === undefined ? '' : JSON.stringify(body) };
};

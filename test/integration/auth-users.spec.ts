import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import pg from 'pg';
import type { UserListBody } from '../../src/auth/user.dto.js';
import { UserDirectory } from '../../src/auth/user-directory.js';
import type { TokenPairBody } from '../../src/auth/auth.dto.js';
import { RoomBus } from '../../src/bus/room-bus.js';
import { type AuthApp, foreignToken, startAuthApp } from '../support/auth-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { recorded } from '../support/quiet-changes.js';
import { until } from '../support/until.js';

let database: TestDatabase;
let server: AuthApp;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await startAuthApp(database.url, { LIMITS: 'off' });
});

afterAll(async () => {
  await server.close();
  await database.drop();
});

const get = (path: string, token: string, app = server) => app.http.get(path).auth(token, { type: 'bearer' });
const see = (sub: string, name?: string) => get('/v1/me', foreignToken({ sub, name })).expect(200);
const idsOf = (body: unknown) => (body as UserListBody).items.map(({ id }) => id);

describe('GET /v1/me', () => {
  it('knows a user of another program at first sight', async () => {
    const { body } = await get('/v1/me', foreignToken({ sub: 'auth0|5f7c', name: 'Ada', roles: ['editor'] })).expect(200);
    expect(body).toEqual({
      id: 'auth0|5f7c',
      username: null,
      name: 'Ada',
      createdAt: expect.any(String),
      status: 'online',
      roles: ['editor'],
    });
  });

  it('takes a new name, and keeps the old one when the token has none', async () => {
    await see('renamed', 'Before');
    expect((await see('renamed', 'After')).body).toMatchObject({ name: 'After' });
    expect((await see('renamed')).body).toMatchObject({ name: 'After' });
  });

  it('writes one new name in a minute when two tokens name the user by turns', async () => {
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    const stored = async () => (await admin.query(`SELECT name, xmin::text FROM users WHERE id = 'two-named'`)).rows[0] as object;
    await see('two-named', 'One');
    await see('two-named', 'Two');
    const before = await stored();
    expect(before).toMatchObject({ name: 'Two' });
    for (let turn = 0; turn < 5; turn++) {
      await see('two-named', 'One');
      await Promise.all(['Two', 'One', 'Two'].map((name) => see('two-named', name)));
    }
    expect(await stored()).toEqual(before);
    await admin.end();
  });

  it.each([
    ['no header', ''],
    ['nonsense', 'Bearer nonsense'],
    ['another scheme', 'Basic dTpw'],
    ['an empty token', 'Bearer '],
  ])('is 401 for %s', async (_, authorization) => {
    const { body, headers } = await server.http.get('/v1/me').set('Authorization', authorization).expect(401);
    expect(body).toEqual({ code: 'unauthenticated', message: expect.any(String), requestId: expect.any(String) });
    expect(headers['www-authenticate']).toBe('Bearer');
  });

  it('takes no token from the URL', async () => {
    await server.http.get(`/v1/me?access_token=${foreignToken()}`).expect(401);
  });
});

describe('GET /v1/users', () => {
  it('gives the users that were seen, in the order asked for', async () => {
    await see('one', 'One');
    await see('two');
    await see('a,b');
    expect((await get('/v1/users?ids=two,unknown,one,two', foreignToken()).expect(200)).body).toEqual({
      items: [
        { id: 'two', username: null, name: null, createdAt: expect.any(String) },
        { id: 'one', username: null, name: 'One', createdAt: expect.any(String) },
      ],
      nextCursor: null,
    });
    expect(idsOf((await get('/v1/users?ids=a%2Cb&ids=one', foreignToken()).expect(200)).body)).toEqual(['a,b', 'one']);
  });

  it.each([
    '',
    '?ids=',
    '?ids=one,',
    `?ids=${Array.from({ length: 101 }, (_, i) => i).join(',')}`,
    '?ids[$gt]=',
    '?ids=%00',
    `?ids=${'x'.repeat(256)}`,
    '?ids=one&limit=5',
  ])('refuses %s', async (query) => {
    const { body } = await get(`/v1/users${query}`, foreignToken()).expect(400);
    expect(body).toMatchObject({ code: 'validation_failed' });
  });

  it('is not moved by SQL', async () => {
    const ids = encodeURIComponent(`one') OR ('1'='1`);
    expect(idsOf((await get(`/v1/users?ids=${ids}`, foreignToken()).expect(200)).body)).toEqual([]);
  });
});

describe('UserDirectory', () => {
  it('keeps the status that a user chose, and tells the bus', async () => {
    const directory = server.app.get(UserDirectory);
    await directory.setStatus('shy', 'invisible');
    expect(server.acts).toContainEqual({ kind: 'status.chosen', user: 'shy', status: 'invisible' });
    const principal = { userId: 'shy', name: null, roles: [], sessionId: null, tokenId: null, issuedAt: 0, expiresAt: 0 };
    expect(await directory.open(principal)).toMatchObject({ status: 'invisible' });
    server.app.get(RoomBus).publishAct(recorded({ kind: 'status.chosen', user: 'shy', status: 'busy' }));
    expect(await directory.open(principal)).toMatchObject({ status: 'busy' });
    expect(await directory.statuses(['shy', 'nobody'])).toEqual(
      new Map([
        ['shy', 'invisible'],
        ['nobody', 'online'],
      ]),
    );
  });

  it('keeps the latest time at which a user was seen', async () => {
    const directory = server.app.get(UserDirectory);
    await see('seen');
    await see('unseen');
    const [early, late] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-01-02T00:00:00Z')];
    await directory.seen([
      { user: 'seen', at: late },
      { user: 'seen', at: early },
      { user: 'ghost', at: late },
    ]);
    await directory.seen([{ user: 'seen', at: early }]);
    expect(await directory.lastSeen(['seen', 'unseen', 'ghost'])).toEqual(
      new Map([
        ['seen', late],
        ['unseen', null],
        ['ghost', null],
      ]),
    );
  });
});

describe('/v1/admin', () => {
  const admin = foreignToken({ sub: 'root', roles: ['admin'] });
  const call = (method: 'put' | 'delete' | 'post', path: string, token: string) =>
    server.http[method](`/v1/admin${path}`).auth(token, { type: 'bearer' });

  it.each([
    ['put', '/users/u8/ban'],
    ['delete', '/users/u8/ban'],
    ['post', '/notices'],
  ] as const)('%s %s is for administrators', async (method, path) => {
    await server.http[method](`/v1/admin${path}`).expect(401);
    expect((await call(method, path, foreignToken({ roles: ['Admin', 'editor'] })).expect(403)).body).toMatchObject({ code: 'forbidden' });
  });

  it('bans a user from everything, and lets him in again', async () => {
    const account = (await server.http.post('/v1/auth/register').send({ username: 'troll', password: 'correct horse' }))
      .body as TokenPairBody;
    const { id } = account.user;
    const login = () => server.http.post('/v1/auth/login').send({ username: 'troll', password: 'correct horse' });
    await call('put', `/users/${id}/ban`, admin).expect(204);
    await call('put', `/users/${id}/ban`, admin).expect(204);
    expect(server.acts).toContainEqual({ kind: 'user.banned', user: id, at: expect.any(Number), until: null });
    expect((await get('/v1/me', account.accessToken).expect(403)).body).toMatchObject({ code: 'forbidden' });
    await login().expect(403);
    await server.http.post('/v1/auth/login').send({ username: 'troll', password: 'wrong horse' }).expect(401);
    await server.http.post('/v1/auth/refresh').send({ refreshToken: account.refreshToken }).expect(403);

    const later = await startAuthApp(database.url);
    await get('/v1/me', account.accessToken, later).expect(403);
    await later.close();

    await call('delete', `/users/${id}/ban`, admin).expect(204);
    await get('/v1/me', account.accessToken).expect(200);
    await server.http.post('/v1/auth/refresh').send({ refreshToken: account.refreshToken }).expect(200);
  });

  it('bans a user who was never seen', async () => {
    await call('put', '/users/not%2Fyet%20here/ban', admin).expect(204);
    await get('/v1/me', foreignToken({ sub: 'not/yet here' })).expect(403);
  });

  it('refuses an id that no user can have', async () => {
    await call('put', `/users/${'x'.repeat(256)}/ban`, admin).expect(400);
    await call('put', '/users/%00/ban', admin).expect(400);
    await call('put', '/users/%E0%A4%A/ban', admin).expect(400);
  });

  it('takes notices, to everybody or to a user, and gives each an id of its own', async () => {
    const notice = { text: 'Restart at noon.', level: 'warning' };
    const ids = new Set<string>();
    for (const audience of [{}, { user: 'u8' }]) {
      const { body } = await call('post', '/notices', admin)
        .send({ ...notice, ...audience })
        .expect(202);
      expect(body).toEqual({ id: expect.any(String) });
      ids.add((body as { id: string }).id);
    }
    expect(ids.size).toBe(2);
    const told = () => server.acts.filter((act) => act.kind === 'notice');
    await until(() => told().length === 2, 'both are told');
    expect(told()).toMatchObject([
      { audience: { kind: 'everybody' }, data: notice },
      { audience: { kind: 'user', user: 'u8' }, data: notice },
    ]);
  });

  it.each([{}, { text: 'hi' }, { text: 'hi', level: 'loud' }, { text: '', level: 'info' }, { text: 'hi', level: 'info', room: 'x' }])(
    'refuses the notice %j',
    async (notice) => {
      await call('post', '/notices', admin).send(notice).expect(400);
    },
  );
});

describe('an unknown route', () => {
  it('is not_found', async () => {
    const { body } = await server.http.get('/v1/nothing').expect(404);
    expect(body).toEqual({ code: 'not_found', message: 'There is no such route.', requestId: expect.any(String) });
  });
});

describe('the OpenAPI document', () => {
  it('has every route of these users, with its errors', () => {
    const { paths } = SwaggerModule.createDocument(server.app, new DocumentBuilder().addBearerAuth().build());
    const routes = Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, { responses, parameters }]: [string, { responses: object; parameters?: { name: string }[] }]) => [
        `${method} ${path}`,
        [...(parameters ?? []).map(({ name }) => name), ...Object.keys(responses)].join(' '),
      ]),
    );
    const ofUsers = routes.filter(([route]) => / \/v1\/(auth\/.*|me|me\/sessions.*|users)$/.test(route!));
    expect(Object.fromEntries(ofUsers)).toEqual({
      'post /v1/auth/register': '201 400 404 409 413 429 500 503 504',
      'post /v1/auth/login': '200 400 401 403 404 413 429 500 503 504',
      'post /v1/auth/refresh': '200 400 401 403 404 413 429 500 503 504',
      'post /v1/auth/logout': '204 400 413 429 500 503 504',
      'post /v1/auth/revoke': '204 400 409 413 429 500 503 504',
      'post /v1/auth/guest': '201 400 404 413 429 500 503 504',
      'post /v1/auth/tickets': '201 400 401 403 429 500 503 504',
      'get /v1/me': '200 400 401 403 429 500 503 504',
      'get /v1/me/sessions': '200 400 401 403 429 500 503 504',
      'delete /v1/me/sessions/{session}': 'session 204 400 401 403 404 429 500 503 504',
      'get /v1/users': 'ids 200 400 401 403 429 500 503 504',
    });
  });
});

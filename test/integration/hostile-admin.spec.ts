import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { ChatServer } from '../support/chat-server.js';
import { fetchDocument, operationsOf } from '../support/openapi-document.js';
import { exampleAsk } from '../support/openapi-inputs.js';
import type { Ask } from '../support/openapi-recorder.js';
import { until } from '../support/until.js';

/** Roles of an ordinary user, though they look like the one that counts. */
const NEARLY = ['Admin', 'admin ', 'administrator', 'owner'];
/** The action of a refusal where the route has none of its own. */
const ANY_REQUEST = 'access.request';

let server: ChatServer;
let database: pg.Client;
/** Of administration, as the document names them. */
let routes: string[];
let asks: Ask[];

beforeAll(async () => {
  server = await ChatServer.start();
  database = new pg.Client({ connectionString: server.test.databaseUrl });
  await database.connect();
  const document = await fetchDocument(server.test.url);
  const operations = [...operationsOf(document)].filter(([route]) => route.includes(' /v1/admin/'));
  routes = operations.map(([route]) => route);
  asks = operations.map(([, operation]) => exampleAsk(document, operation));
});

afterAll(async () => {
  await database.end();
  await server.close();
});

/** Asks each route for what is right by the document. @returns status and code of each, and the ids of the requests */
async function askAll(headers: Record<string, string>): Promise<{ answers: unknown[]; requestIds: string[] }> {
  const answers: unknown[] = [];
  const requestIds: string[] = [];
  for (const [index, route] of routes.entries()) {
    const { path = {}, query = {}, body } = asks[index]!;
    const [method, template] = route.split(' ') as [string, string];
    const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name]!));
    const search = new URLSearchParams(query as Record<string, string>).toString();
    const requestId = randomUUID();
    const answer = await server.http(null, method, `${filled}?${search}`, body, { ...headers, 'x-request-id': requestId });
    requestIds.push(requestId);
    answers.push([route, answer.status, (answer.body as { code: string }).code]);
  }
  return { answers, requestIds };
}

interface Entry {
  request_id: string;
  action: string;
  outcome: string;
  actor_id: string | null;
}

/** An API key without any scope that a route of administration asks for. @returns the key, and its id */
async function makeKey(maker = 'root'): Promise<{ key: string; id: string }> {
  const authorization = `Bearer ${server.test.token(maker, { roles: ['admin'] })}`;
  const made = await server.http(null, 'POST', '/v1/admin/api-keys', { name: 'Shop', scopes: ['users:act'] }, { authorization });
  return made.body as { key: string; id: string };
}

describe('line 23: every route of administration in the OpenAPI document', () => {
  const ways: [string, () => Promise<{ bearer?: string; actor: string | null }>, number, string][] = [
    ['a token of a user', async () => ({ bearer: server.test.token('mallory', { roles: NEARLY }), actor: 'mallory' }), 403, 'forbidden'],
    ['a key without the scope', () => makeKey().then(({ key, id }) => ({ bearer: key, actor: id })), 403, 'forbidden'],
    ['no token', async () => ({ actor: null }), 401, 'unauthenticated'],
  ];

  it.each(ways)('line 23: refuses who has %s, and the refusal is in the audit log as an act of its own', async (_, way, status, code) => {
    expect(routes.length).toBeGreaterThan(20);
    const { bearer, actor } = await way();
    const { answers, requestIds } = await askAll(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` });
    expect(answers).toEqual(routes.map((route) => [route, status, code]));

    const entries = async () =>
      (await database.query<Entry>('SELECT * FROM audit_log WHERE request_id = ANY ($1) ORDER BY seq', [requestIds])).rows;
    await until(async () => (await entries()).length >= routes.length, 'every refusal is written');
    const written = (await entries()).map(({ request_id, action, outcome, actor_id }) => [
      routes[requestIds.indexOf(request_id)],
      outcome,
      actor_id,
      action === ANY_REQUEST,
    ]);
    expect(written).toEqual(routes.map((route) => [route, 'denied', actor, false]));
  });
});

it('line 27: what a route does not take is refused before anything is done, and is no target in the audit log', async () => {
  const authorization = `Bearer ${server.test.token('root', { roles: ['admin'] })}`;
  const requestId = randomUUID();
  const headers = { authorization, 'x-request-id': requestId };
  const ban = '/v1/admin/users/victim/ban?room=0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11&seq=7';
  const { status, body } = await server.http(null, 'PUT', ban, {}, headers);
  expect([status, (body as { details: { path: string }[] }).details.map(({ path }) => path)]).toEqual([400, ['room', 'seq']]);
  expect((await server.http('victim', 'GET', '/v1/me')).status).toBe(200);
  // Entries are written in order: with the one of this reading, those before it are.
  await server.http(null, 'GET', '/v1/admin/bans', undefined, { authorization });
  expect((await database.query('SELECT FROM audit_log WHERE request_id = $1', [requestId])).rowCount).toBe(0);
});

describe('a dry run', () => {
  /** All that acts of administration touch, row by row. */
  const everything = async () => {
    const tables = [
      'users',
      'auth_sessions',
      'revoked_tokens',
      'api_keys',
      'rooms',
      'memberships',
      'room_events',
      'room_bans',
      'room_mutes',
    ];
    const found: unknown[] = [];
    for (const table of tables) found.push((await database.query(`SELECT t::text AS row FROM ${table} t ORDER BY 1`)).rows);
    return found;
  };

  it('of whatever deletes answers what would go, and changes nothing', async () => {
    const authorization = `Bearer ${server.test.token('root', { roles: ['admin'] })}`;
    const account = { username: 'kept', password: 'correct horse battery staple' };
    const { user, accessToken } = (await server.http(null, 'POST', '/v1/auth/register', account)).body as {
      user: { id: string };
      accessToken: string;
    };
    const room = await server.room('ann', 'private', [user.id]);
    const client = await server.connect(user.id, { token: accessToken });
    const { id: key } = await makeKey(user.id);
    for (const kind of ['ban', 'mute'])
      for (const path of [`users/gone/${kind}`, `rooms/${room}/${kind}s/gone`])
        expect((await server.http(null, 'PUT', `/v1/admin/${path}`, {}, { authorization })).status).toBeLessThan(205);
    const session = (
      (await server.http(null, 'GET', `/v1/admin/users/${user.id}/sessions`, undefined, { authorization })).body as {
        items: { id: string }[];
      }
    ).items[0]!.id;
    const connection = (client.frames[0]!.data as { connectionId: string }).connectionId;
    const deletions = routes.filter((route) => route.startsWith('DELETE '));
    const before = await everything();
    const { rows: clock } = await database.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    for (const route of deletions) {
      const isSanction = /(ban|mute)s?(\/|$)/.test(route);
      const named: Record<string, string> = { room, session, connection, key, user: isSanction ? 'gone' : user.id };
      const path = route.slice('DELETE '.length).replace(/\{(\w+)\}/g, (_, name: string) => named[name]!);
      const query = route === 'DELETE /v1/admin/connections' ? `?user=${user.id}&dryRun=true` : '?dryRun=true';
      const { status, body } = await server.http(null, 'DELETE', path + query, undefined, { authorization });
      expect([route, status, body]).toEqual([route, 200, expect.anything()]);
      const { count = 1 } = body as { count?: number };
      expect([route, count]).toEqual([route, 1]);
    }
    expect(await everything()).toEqual(before);
    const acts = await database.query(`SELECT payload FROM changes WHERE kind = 'act' AND at >= $1`, [clock[0]!.now]);
    expect(acts.rows).toEqual([]);
    expect(await client.command('ping')).toBeDefined();
    await client.close();
  });
});

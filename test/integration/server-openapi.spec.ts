import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { startTestApp, type TestApp } from '../support/test-app.js';

type Json = { [key: string]: unknown };
interface Operation {
  summary?: string;
  tags?: string[];
  responses: Record<string, { content?: Record<string, { schema: Json }> }>;
}

/** Rooms and messages have specs of their own. */
const OTHERS = /^\w+ \/v1\/(rooms|me\/rooms)/;

let server: TestApp;
let limited: TestApp;
let ajv: Ajv;
const operations = new Map<string, Operation>();
const met = new Set<string>();

beforeAll(async () => {
  server = await startTestApp();
  limited = await startTestApp({ LIMITS: 'on' });
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, Json> };
  };
  ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv);
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    ajv.addSchema(closed(schema) as Json, `#/components/schemas/${name}`);
  }
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) operations.set(`${method} ${path}`, operation);
  }
});

afterAll(async () => {
  await server.close();
  await limited.close();
});

/** OpenAPI 3.0's `nullable` as JSON Schema has it; and what is not described must not be answered. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { nullable, ...rest } = schema as Json;
  const copy: Json = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, key === 'example' ? value : closed(value)]));
  if (nullable === true && copy.type !== undefined) copy.type = [copy.type, 'null'];
  if (copy.properties !== undefined && copy.additionalProperties === undefined) copy.additionalProperties = false;
  return copy;
}

interface Ask {
  token?: string;
  body?: object | string;
  /** The path with its parameters and query. */
  path?: string;
}

/** Asks, and holds the answer's status and body against the document. */
async function hold(route: string, status: number, { token, body, path }: Ask = {}): Promise<Json> {
  const [method, template] = route.split(' ') as [string, string];
  const response = await fetch(server.url + (path ?? template), {
    method: method.toUpperCase(),
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return check(route, status, response);
}

async function check(route: string, status: number, response: Response): Promise<Json> {
  const text = await response.text();
  expect([route, response.status, text]).toEqual([route, status, expect.anything()]);
  const described = operations.get(route)?.responses[status];
  expect([route, status, described !== undefined]).toEqual([route, status, true]);
  const schema = described!.content?.['application/json']?.schema;
  met.add(route);
  if (schema === undefined) {
    expect([route, text]).toEqual([route, '']);
    return {};
  }
  const answer = JSON.parse(text) as Json;
  expect([route, status, ajv.validate(closed(schema) as Json, answer), ajv.errors]).toEqual([route, status, true, null]);
  return answer;
}

it('describes what accounts, users, tickets, administration and health answer', async () => {
  const auth = '/v1/auth';
  const account = { username: 'ada', password: 'correct horse battery staple' };
  const { accessToken } = (await hold(`post ${auth}/register`, 201, { body: account })) as { accessToken: string };
  await hold(`post ${auth}/register`, 409, { body: account });
  await hold(`post ${auth}/register`, 400, { body: { username: 'a', surname: 'b' } });
  await hold(`post ${auth}/register`, 413, { body: { username: 'x'.repeat(300_000) } });
  const { refreshToken } = (await hold(`post ${auth}/login`, 200, { body: account })) as { refreshToken: string };
  await hold(`post ${auth}/login`, 401, { body: { ...account, password: 'not the right one' } });
  await hold(`post ${auth}/login`, 400, { body: '{"username":' });
  const renewed = (await hold(`post ${auth}/refresh`, 200, { body: { refreshToken } })) as { refreshToken: string };
  await hold(`post ${auth}/refresh`, 400, { body: {} });
  await hold(`post ${auth}/logout`, 204, { body: { refreshToken: renewed.refreshToken } });
  await hold(`post ${auth}/refresh`, 401, { body: { refreshToken: renewed.refreshToken } });
  const user = server.token('u1', { name: 'Uma' });
  await hold(`post ${auth}/tickets`, 201, { token: user });
  await hold(`post ${auth}/tickets`, 401);
  await hold('get /v1/me', 200, { token: user });
  await hold('get /v1/me', 401, { token: accessToken.slice(0, -3) });
  await hold('get /v1/users', 200, { token: user, path: '/v1/users?ids=u1,nobody' });
  await hold('get /v1/users', 400, { token: user });
  const admin = server.token('root', { roles: ['admin'] });
  const ban = 'put /v1/admin/users/{user}/ban';
  const status = Number(Object.keys(operations.get(ban)!.responses).find((code) => code.startsWith('2')));
  await hold(ban, status, { token: admin, path: '/v1/admin/users/u1/ban' });
  await hold('get /v1/me', 403, { token: user });
  await hold(ban, 403, { token: server.token('u2'), path: '/v1/admin/users/u1/ban' });
  const unban = 'delete /v1/admin/users/{user}/ban';
  const lifted = Number(Object.keys(operations.get(unban)!.responses).find((code) => code.startsWith('2')));
  await hold(unban, lifted, { token: admin, path: '/v1/admin/users/u1/ban' });
  const notice = 'post /v1/admin/notices';
  const accepted = Number(Object.keys(operations.get(notice)!.responses).find((code) => code.startsWith('2')));
  await hold(notice, accepted, { token: admin, body: { text: 'Back soon', level: 'info' } });
  await hold(notice, 400, { token: admin, body: { text: '', level: 'loud' } });
  await hold(notice, 403, { token: server.token('u2'), body: { text: 'hi', level: 'info' } });
  await hold('get /health/live', 200);
  await hold('get /health/ready', 200);
});

it('describes the refusal of too many requests', async () => {
  const headers = { authorization: `Bearer ${limited.token('busy')}` };
  const responses = await Promise.all(Array.from({ length: 700 }, () => fetch(`${limited.url}/v1/me`, { headers })));
  const refused = responses.find(({ status }) => status === 429)!;
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await check('get /v1/me', 429, refused)).toMatchObject({ code: 'rate_limited' });
});

it('has left out no operation, and each says what it is', () => {
  const mine = [...operations.keys()].filter((route) => !OTHERS.test(route));
  expect(mine.filter((route) => !met.has(route))).toEqual([]);
  for (const [route, { summary, tags }] of operations) expect([route, summary !== undefined, tags?.length]).toEqual([route, true, 1]);
});

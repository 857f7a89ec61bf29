import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import type { Response } from 'supertest';
import { type RoomsApp, startRoomsApp } from '../support/rooms-app.js';

type Json = { [key: string]: unknown };
interface Operation {
  tags?: string[];
  responses: Record<string, { content?: { 'application/json': { schema: Json } } }>;
}

let server: RoomsApp;
let ajv: Ajv;
const operations = new Map<string, Operation>();

beforeAll(async () => {
  server = await startRoomsApp();
  const document = await server.openApi();
  ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv);
  for (const [name, schema] of Object.entries((document.components as { schemas: Record<string, Json> }).schemas)) {
    ajv.addSchema(jsonSchema(schema) as Json, `#/components/schemas/${name}`);
  }
  for (const [path, methods] of Object.entries(document.paths as Record<string, Record<string, Operation>>)) {
    for (const [method, operation] of Object.entries(methods)) operations.set(`${method} ${path}`, operation);
  }
});

afterAll(() => server.close());

/** OpenAPI 3.0's `nullable` as JSON Schema has it; and what is not described must not be answered. */
function jsonSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(jsonSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { nullable, ...rest } = schema as Json;
  const copy: Json = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, key === 'example' ? value : jsonSchema(value)]));
  if (nullable === true) copy.type = [copy.type, 'null'];
  if (copy.properties !== undefined && copy.additionalProperties === undefined) copy.additionalProperties = false;
  return copy;
}

it('describes what every route about rooms answers', async () => {
  const met = new Set<string>();
  const hold = async (route: string, status: number, answer: PromiseLike<Response>) => {
    const response = await answer;
    expect([route, response.status, response.body]).toEqual([route, status, expect.anything()]);
    const described = operations.get(route)!.responses[status];
    expect([route, status, described !== undefined]).toEqual([route, status, true]);
    const schema = described!.content?.['application/json'].schema;
    if (schema === undefined) expect(response.text).toBe('');
    else expect([route, status, ajv.validate(jsonSchema(schema) as Json, response.body), ajv.errors]).toEqual([route, status, true, null]);
    met.add(`${route} ${status}`);
    return response.body as { id: string };
  };
  const { call } = server;
  const rooms = '/v1/rooms';
  const room = `${rooms}/{room}`;
  const draft = { type: 'public', name: 'A', topic: 'B', meta: { c: 1 }, members: ['ben', 'eve'] };
  const { id } = await hold(`post ${rooms}`, 201, call('ada', 'post', '/rooms', draft).set('Idempotency-Key', 'k'));
  await hold(`post ${rooms}`, 200, call('ada', 'post', '/rooms', draft).set('Idempotency-Key', 'k'));
  await hold(`post ${rooms}`, 409, call('ada', 'post', '/rooms', { type: 'private' }).set('Idempotency-Key', 'k'));
  await hold(`post ${rooms}`, 400, call('ada', 'post', '/rooms', { members: ['', 7] }));
  await hold(`post ${rooms}`, 413, call('ada', 'post', '/rooms', { type: 'public', name: 'x'.repeat(300_000) }));
  await hold(`post ${rooms}`, 401, server.anonymous('post', '/rooms'));
  await server.make('ada', { type: 'private' });
  await server.send('ben', id);
  await hold(`get ${rooms}`, 200, call('ada', 'get', '/rooms?limit=1'));
  await hold(`get ${rooms}`, 400, call('ada', 'get', '/rooms?limit=0'));
  await hold('get /v1/me/rooms', 200, call('ada', 'get', '/me/rooms'));
  await hold('get /v1/me/rooms', 400, call('ada', 'get', '/me/rooms?cursor=x'));
  await hold(`get ${room}`, 200, call('ada', 'get', `/rooms/${id}`));
  await hold(`get ${room}`, 400, call('ada', 'get', '/rooms/7'));
  await hold(`patch ${room}`, 200, call('ada', 'patch', `/rooms/${id}`, { name: null, topic: null }));
  await hold(`patch ${room}`, 403, call('ben', 'patch', `/rooms/${id}`, { name: 'mine' }));
  await hold(`post ${room}/join`, 200, call('guest', 'post', `/rooms/${id}/join`));
  await hold(`post ${room}/leave`, 204, call('guest', 'post', `/rooms/${id}/leave`));
  await hold(`post ${room}/leave`, 409, call('ada', 'post', `/rooms/${id}/leave`));
  await hold(`get ${room}/members`, 200, call('ada', 'get', `/rooms/${id}/members?limit=1`));
  await hold(`put ${room}/members/{user}`, 200, call('ada', 'put', `/rooms/${id}/members/zoe`, { role: 'owner' }));
  await hold(`delete ${room}/members/{user}`, 200, call('ada', 'delete', `/rooms/${id}/members/zoe`));
  await hold(`delete ${room}/members/{user}`, 404, call('ada', 'delete', `/rooms/${id}/members/zoe`));
  await hold(`put ${room}/bans/{user}`, 200, call('ada', 'put', `/rooms/${id}/bans/eve`));
  await hold(`get ${room}/bans`, 200, call('ada', 'get', `/rooms/${id}/bans`));
  await hold(`get ${room}/members`, 403, call('eve', 'get', `/rooms/${id}/members`));
  await hold(`delete ${room}/bans/{user}`, 204, call('ada', 'delete', `/rooms/${id}/bans/eve`));
  await hold(`patch ${room}`, 200, call('ada', 'patch', `/rooms/${id}`, { archived: true }));
  await hold(`post ${room}/join`, 409, call('guest', 'post', `/rooms/${id}/join`));
  await hold(`delete ${room}`, 200, call('ada', 'delete', `/rooms/${id}`));
  await hold(`delete ${room}`, 404, call('ada', 'delete', `/rooms/${id}`));

  const ofRooms = [...operations].filter(([, operation]) => operation.tags?.includes('rooms')).map(([route]) => route);
  const answered = new Set([...met].map((answer) => answer.replace(/ \d+$/, '')));
  expect([...answered].sort()).toEqual(ofRooms.sort());
});

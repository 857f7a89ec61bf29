import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Conversation } from '../support/openapi-conversation.js';
import { fetchDocument, type Json, type OpenApi, operationsOf, resolved } from '../support/openapi-document.js';
import { OpenApiRecorder } from '../support/openapi-recorder.js';
import { startTestApp, type TestApp } from '../support/test-app.js';
import { TestRedis } from '../support/test-redis.js';

// What shows only when something fails, and is held by the refusals of openapi-answers.spec.ts.
const OF_FAILURES = /^(ErrorBody|ErrorDetailBody|ErrorCode|DependencyBody\.reason)/;

let redis: TestRedis;
let server: TestApp;
let document: OpenApi;
let talked: OpenApiRecorder;

beforeAll(async () => {
  redis = await TestRedis.start();
  server = await startTestApp({ REDIS_URL: redis.url, GUESTS: 'on' });
  document = await fetchDocument(server.url);
  talked = new OpenApiRecorder(document);
  await new Conversation(talked, server).talk();
});

afterAll(async () => {
  await server.close();
  await redis.stop();
});

/** Whether the same answers, held against a document with a fault, show it. @param routes those that it can show at: the others are left out */
function isFound(doctor: (doctored: OpenApi) => void, routes: Set<string>): boolean {
  const paths = Object.entries(document.paths).filter(([path, methods]) =>
    Object.keys(methods).some((method) => routes.has(`${method.toUpperCase()} ${path}`)),
  );
  const doctored = structuredClone({ ...document, paths: Object.fromEntries(paths) });
  doctor(doctored);
  const recorder = new OpenApiRecorder(doctored);
  return talked.answers.some(({ route, ask, answer }) => routes.has(route) && recorder.faultsOf(route, ask, answer).length > 0);
}

const routes = new Map<string, Set<string>>();

/** The routes that a schema is used by, itself or within another. */
function routesWith(schema: string): Set<string> {
  const known = routes.get(schema) ?? findRoutesWith(schema);
  routes.set(schema, known);
  return known;
}

function findRoutesWith(schema: string): Set<string> {
  const refersTo = (node: unknown, above: string[] = []): boolean =>
    [...JSON.stringify(node).matchAll(/"#\/components\/schemas\/(\w+)"/g)].some(
      ([, name]) => name === schema || (!above.includes(name!) && refersTo(document.components.schemas[name!], [...above, name!])),
    );
  return new Set([...operationsOf(document)].filter(([, operation]) => refersTo(operation)).map(([route]) => route));
}

function properties(): { schema: string; name: string }[] {
  return Object.entries(document.components.schemas)
    .flatMap(([schema, { properties: parts }]) => Object.keys((parts ?? {}) as Json).map((name) => ({ schema, name })))
    .filter(({ schema, name }) => !OF_FAILURES.test(`${schema}.${name}`));
}

const schemaOf = (doctored: OpenApi, name: string) =>
  doctored.components.schemas[name] as { properties: Record<string, Json>; required?: string[] };

it('an answer of another status than was expected, or with another body, ends the test', async () => {
  const token = server.token('ada');
  await expect(talked.ask(server.url, 'GET /v1/me', 204, { token })).rejects.toThrow(/expected 204/);
  await expect(talked.ask(server.url, 'GET /v1/nothing', 404, { token })).rejects.toThrow(/does not have this operation/);
  const headers = new Headers({ 'content-type': 'application/json; charset=utf-8' });
  const unauthorized = { code: 'unauthenticated', message: 'x', requestId: 'r' };
  const faultsOf = (status: number, body: object) =>
    talked.faultsOf('GET /v1/me', {}, { status, headers, text: JSON.stringify(body) }).join('\n');
  expect(faultsOf(401, unauthorized)).toMatch(/without WWW-Authenticate[\s\S]*x-request-id/);
  expect(faultsOf(403, { ...unauthorized, stack: 'at x.js:1' })).toMatch(/additional properties.*stack/);
  expect(faultsOf(429, { ...unauthorized, code: 'slow_down' })).toMatch(/allowed values[\s\S]*without Retry-After/);
  expect(faultsOf(404, unauthorized)).toMatch(/does not say that it may answer 404/);
});

describe('real answers and requests are not as a document says that', () => {
  it('lacks a field', () => {
    const missed = properties().filter(({ schema, name }) => {
      const without = (doctored: OpenApi) => {
        const { properties: parts, required } = schemaOf(doctored, schema);
        delete parts[name];
        if (required) schemaOf(doctored, schema).required = required.filter((field) => field !== name);
      };
      return !isFound(without, routesWith(schema));
    });
    expect(properties().length).toBeGreaterThan(60);
    expect(missed).toEqual([]);
  });

  it('has a field of another type', () => {
    const missed = properties().filter(({ schema, name }) => {
      const changed = (doctored: OpenApi) => {
        const { properties: parts } = schemaOf(doctored, schema);
        parts[name] = { type: resolved(document, parts[name]!).type === 'boolean' ? 'string' : 'boolean' };
      };
      return !isFound(changed, routesWith(schema));
    });
    expect(missed).toEqual([]);
  });

  it('asks for one field more', () => {
    const schemas = new Set(properties().map(({ schema }) => schema));
    const missed = [...schemas].filter((schema) => {
      const grown = (doctored: OpenApi) => {
        const { properties: parts, required = [] } = schemaOf(doctored, schema);
        parts.other = { type: 'string' };
        schemaOf(doctored, schema).required = [...required, 'other'];
      };
      return !isFound(grown, routesWith(schema));
    });
    expect(missed).toEqual([]);
  });

  it('lacks a status of success, or a parameter', () => {
    const missed: string[] = [];
    for (const [route, { responses, parameters = [] }] of operationsOf(document)) {
      const only = new Set([route]);
      for (const status of Object.keys(responses).filter((code) => /^2/.test(code))) {
        const without = (doctored: OpenApi) => delete operationsOf(doctored).get(route)!.responses[status];
        if (!isFound(without, only)) missed.push(`${route} ${status}`);
      }
      parameters.forEach(({ name }, index) => {
        const without = (doctored: OpenApi) => operationsOf(doctored).get(route)!.parameters!.splice(index, 1);
        if (!isFound(without, only)) missed.push(`${route} ${name}`);
      });
    }
    expect(missed).toEqual([]);
  });

  it('lacks an operation', () => {
    const missed = [...operationsOf(document).keys()].filter((route) => {
      const [method, path] = route.split(' ') as [string, string];
      return !isFound((doctored) => delete doctored.paths[path]![method.toLowerCase()], new Set([route]));
    });
    expect(missed).toEqual([]);
  });
});

it('a promise that nobody kept is named', () => {
  const doctored = structuredClone(document);
  doctored.paths['/v1/extra'] = { get: { operationId: 'extra', responses: { 200: { description: '' } } } };
  doctored.paths['/v1/me']!.get!.responses[418] = { description: '`teapot`' };
  const recorder = new OpenApiRecorder(doctored);
  recorder.answers.push(...talked.answers);
  const added = recorder.unseen().filter((answer) => !talked.unseen().includes(answer));
  expect(added.sort()).toEqual(['GET /v1/extra 200', 'GET /v1/me 418']);
});

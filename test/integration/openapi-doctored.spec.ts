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

/** What shows when the same answers are held against a document with faults, as `GET /v1/me: …`. @param routes those that it can show at: the others are left out */
function faultsAgainst(doctor: (doctored: OpenApi) => void, routes = new Set(talked.operations.keys())): string[] {
  const paths = Object.entries(document.paths).filter(([path, methods]) =>
    Object.keys(methods).some((method) => routes.has(`${method.toUpperCase()} ${path}`)),
  );
  const doctored = structuredClone({ ...document, paths: Object.fromEntries(paths) });
  doctor(doctored);
  const recorder = new OpenApiRecorder(doctored);
  const answers = talked.answers.filter(({ route }) => routes.has(route));
  return answers.flatMap(({ route, ask, answer }) => recorder.faultsOf(route, ask, answer).map((fault) => `${route}: ${fault}`));
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

/** The fields of each schema. */
function properties(): Map<string, string[]> {
  const fieldsOf = (schema: string) =>
    Object.keys((document.components.schemas[schema]!.properties ?? {}) as Json).filter((name) => !OF_FAILURES.test(`${schema}.${name}`));
  const all = Object.keys(document.components.schemas).map((schema): [string, string[]] => [schema, fieldsOf(schema)]);
  return new Map(all.filter(([, fields]) => fields.length > 0));
}

/** The fields whose fault does not show. Those of one schema are all doctored at once, and of no other: so a fault that names the field is its own. */
function unseenFields(
  doctor: (parts: Record<string, Json>, schema: { required?: string[] }) => void,
  fault: (name: string, part: Json) => string,
): string[] {
  return [...properties()].flatMap(([schema, fields]) => {
    const faults = faultsAgainst((doctored) => {
      const whole = schemaOf(doctored, schema);
      doctor(whole.properties, whole);
    }, routesWith(schema));
    const { properties: parts } = schemaOf(document, schema);
    const isSeen = (name: string) => faults.some((found) => found.includes(fault(name, parts[name]!)));
    return fields.filter((name) => !isSeen(name)).map((name) => `${schema}.${name}`);
  });
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
    expect([...properties().values()].flat().length).toBeGreaterThan(60);
    const lacking = (parts: Record<string, Json>, schema: { required?: string[] }) => {
      for (const name of Object.keys(parts)) delete parts[name];
      delete schema.required;
    };
    expect(unseenFields(lacking, (name) => `must NOT have additional properties {"additionalProperty":"${name}"}`)).toEqual([]);
  });

  it('has a field of another type', () => {
    const other = (part: Json) => (resolved(document, part).type === 'boolean' ? 'string' : 'boolean');
    const changed = (parts: Record<string, Json>) => {
      for (const [name, part] of Object.entries(parts)) parts[name] = { type: other(part) };
    };
    expect(unseenFields(changed, (name, part) => `/${name} must be ${other(part)}`)).toEqual([]);
  });

  it('asks for one field more', () => {
    const schemas = [...properties().keys()];
    const grown = (doctored: OpenApi) => {
      for (const name of schemas) {
        const schema = schemaOf(doctored, name);
        schema.properties[`more of ${name}`] = { type: 'string' };
        schema.required = [...(schema.required ?? []), `more of ${name}`];
      }
    };
    const faults = faultsAgainst(grown);
    expect(schemas.filter((name) => !faults.some((found) => found.includes(`required property 'more of ${name}'`)))).toEqual([]);
  });

  it('lacks a status of success, or a parameter', () => {
    const expected: string[] = [];
    const faults = new Set(
      faultsAgainst((doctored) => {
        for (const [route, operation] of operationsOf(doctored)) {
          for (const status of Object.keys(operation.responses).filter((code) => /^2/.test(code))) {
            expected.push(`${route}: the document does not say that it may answer ${status}`);
            delete operation.responses[status];
          }
          for (const { name, in: place } of operation.parameters ?? [])
            expected.push(`${route}: the document has no parameter ${name} in the ${place}`);
          operation.parameters = [];
        }
      }),
    );
    expect(expected.length).toBeGreaterThan(150);
    expect(expected.filter((fault) => !faults.has(fault))).toEqual([]);
  });

  it('lacks an operation', () => {
    const faults = new Set(faultsAgainst((doctored) => (doctored.paths = {})));
    const expected = [...operationsOf(document).keys()].map((route) => `${route}: the document does not have this operation`);
    expect(expected.filter((fault) => !faults.has(fault))).toEqual([]);
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

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/test-app.js';
import { tableOf, unquoted } from './markdown-table.js';

interface Operation {
  requestBody?: { content: Record<string, { schema: { $ref: string } }> };
  parameters: { in: string; name: string }[];
  responses: Record<string, unknown>;
}

interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: Record<string, unknown>; required?: string[] }> };
}

describe('the routes in docs/protocol.md', () => {
  let server: TestApp;
  let openApi: OpenApi;
  let operations: Map<string, Operation>;
  beforeAll(async () => {
    server = await startTestApp();
    openApi = (await (await fetch(`${server.url}/openapi.json`)).json()) as OpenApi;
    operations = new Map(
      Object.entries(openApi.paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`, operation]),
      ),
    );
  });
  afterAll(() => server.close());

  const rows = tableOf('docs/protocol.md', 'route').map((row) => ({
    route: unquoted(row['route']!),
    input: row['body or query']!,
    answer: row['answer']!,
  }));

  it('are all that the server has, and no other', () => {
    expect(rows.map(({ route }) => route).sort()).toEqual([...operations.keys()].sort());
  });

  it('have the bodies that the server takes', () => {
    for (const { route, input } of rows) {
      const schema = operations.get(route)!.requestBody?.content['application/json']!.schema.$ref.replace('#/components/schemas/', '');
      const listed = [...(/^`\{([^}]*)\}`/.exec(input)?.[1] ?? '').matchAll(/(\w+\??)/g)].map(([, field]) => field).sort();
      const { properties = {}, required = [] } = schema === undefined ? {} : openApi.components.schemas[schema]!;
      const known = Object.keys(properties).map((name) => (required.includes(name) ? name : `${name}?`));
      expect([route, listed]).toEqual([route, known.sort()]);
    }
  });

  it('have the queries that the server takes', () => {
    for (const { route, input } of rows) {
      const known = operations.get(route)!.parameters.filter((parameter) => parameter.in === 'query');
      const names = known.map(({ name }) => name).filter((name) => !['cursor', 'limit'].includes(name));
      const listed = input.startsWith('`{')
        ? []
        : [...input.matchAll(/`(\w+)\??`/g)].map(([, name]) => name!).filter((name) => name !== 'limit');
      expect([route, listed.sort()]).toEqual([route, names.sort()]);
    }
  });

  it('have the statuses of success that the server answers', () => {
    for (const { route, answer } of rows) {
      const known = Object.keys(operations.get(route)!.responses).filter((status) => status.startsWith('2'));
      const listed = [...answer.matchAll(/\b(2\d\d)\b/g)].map(([status]) => status);
      expect([route, listed.length === 0 ? ['200'] : listed.sort()]).toEqual([route, known.sort()]);
    }
  });
});

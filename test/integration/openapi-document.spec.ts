import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jsonBlocks, tableOf, unquoted } from '../docs/markdown-table.js';
import {
  fetchDocument,
  handlersOf,
  type Json,
  type OpenApi,
  type Operation,
  operationsOf,
  resolved,
  routesOf,
} from '../support/openapi-document.js';
import { type Facts, faultsOf } from '../support/openapi-rules.js';
import { startTestApp, type TestApp } from '../support/test-app.js';

/** Short ones, which need no cursor. */
const WHOLE_LISTS = ['GET /v1/users', 'GET /v1/me/sessions', 'GET /v1/admin/settings'];

let server: TestApp;
let document: OpenApi;
let operations: Map<string, Operation>;
let facts: Facts;

beforeAll(async () => {
  server = await startTestApp();
  document = await fetchDocument(server.url);
  operations = operationsOf(document);
  const handlers = handlersOf(server.app);
  facts = { isPublic: (id) => handlers.get(id)?.isPublic === true };
});

afterAll(() => server.close());

describe('the OpenAPI document', () => {
  it('has every route that Express has, and no other', () => {
    const { api, docs } = routesOf(server.app);
    expect([...operations.keys()].sort()).toEqual(api.sort());
    expect(docs).toEqual(expect.arrayContaining(['GET /docs', 'GET /openapi.json']));
    expect([...operations.values()].map(({ operationId }) => operationId).sort()).toEqual([...handlersOf(server.app).keys()].sort());
  });

  it('is valid, and leaves nothing unsaid', () => {
    expect(faultsOf(document, facts)).toEqual([]);
  });

  it('says once, at each operation of administration, which scope a key needs, and no other scope opens it', () => {
    const needs = /Needs the role `admin` or the scope `([a-z]+:[a-z]+)`\./g;
    const said = [...operations].map(([route, { description = '' }]) => [
      route,
      [...description.matchAll(needs)].map(([, scope]) => scope),
    ]);
    const required = [...operations].map(([route, { operationId }]) => {
      const scope = handlersOf(server.app).get(operationId)!.scope;
      return [route, scope === undefined ? [] : [scope]];
    });
    expect(said).toEqual(required);
    expect(said.filter(([, scopes]) => scopes!.length > 0).map(([route]) => route)).toEqual(
      [...operations.keys()].filter((route) => route.includes(' /v1/admin/')),
    );
  });

  it('offers a dry run of every act of administration that deletes', () => {
    const without = [...operations].filter(
      ([route, { parameters = [] }]) => route.startsWith('DELETE /v1/admin/') && !parameters.some(({ name }) => name === 'dryRun'),
    );
    expect(without.map(([route]) => route)).toEqual([]);
  });

  it('explains order, pages and errors to who reads it from the top', () => {
    for (const word of [
      '`seq`',
      '`lastSeq`',
      '`epoch`',
      '`before`',
      '`after`',
      '`around`',
      '`nextCursor`',
      '`Idempotency-Key`',
      '`Retry-After`',
    ])
      expect(document.info.description).toContain(word);
  });
});

describe('a document with a fault is not passed:', () => {
  const page = (doctored: OpenApi) => doctored.paths['/v1/rooms/{room}/messages']!.get!;
  const faults: [string, RegExp, (doctored: OpenApi) => void][] = [
    ['a summary is missing', /has no summary/, (doctored) => delete page(doctored).summary],
    ['a tag is missing', /has no tag/, (doctored) => (page(doctored).tags = [])],
    ['a tag is unknown', /not described/, (doctored) => (page(doctored).tags = ['chat'])],
    ['a success has no schema', /types none/, (doctored) => delete page(doctored).responses['200']!.content],
    ['there is no success', /no answer of success/, (doctored) => delete page(doctored).responses['200']],
    ['an error is left out', /may answer 404/, (doctored) => delete page(doctored).responses['404']],
    [
      'an error has another body',
      /400 is not described as an ErrorBody/,
      (doctored) => (page(doctored).responses['400']!.content = page(doctored).responses['200']!.content!),
    ],
    [
      'an error has a code of another status',
      /409 does not name its codes/,
      (doctored) => {
        page(doctored).responses['409'] = page(doctored).responses['404']!;
      },
    ],
    ['security is left out', /needs a token/, (doctored) => delete page(doctored).security],
    ['a token is asked for in vain', /does not need/, (doctored) => (doctored.paths['/health/live']!.get!.security = [{ bearer: [] }])],
    ['a parameter has no words', /before is not described/, (doctored) => delete page(doctored).parameters![1]!.description],
    [
      'a cursor is not explained',
      /cursor is not explained/,
      (doctored) => {
        doctored.paths['/v1/rooms']!.get!.parameters!.find(({ name }) => name === 'cursor')!.description = 'Where to go on.';
      },
    ],
    ['a seq is not explained', /around is not explained/, (doctored) => (page(doctored).parameters![3]!.description = 'A number.')],
    ['a parameter of the path is lost', /describes $/m, (doctored) => page(doctored).parameters!.splice(0, 1)],
    ['an example is lost', /text has no example/, (doctored) => delete property(doctored, 'MessageBody', 'text').example],
    ['an example of a body is lost', /body\.text has no example/, (doctored) => delete property(doctored, 'NewMessageDto', 'text').example],
    ['an example is none', /no example of it/, (doctored) => (property(doctored, 'MessageBody', 'seq').example = 0)],
    ['a reference leads nowhere', /MessageBody leads nowhere/, (doctored) => delete doctored.components.schemas.MessageBody],
    ['a schema is of no use', /nothing refers to/, (doctored) => (doctored.components.schemas.Other = { type: 'object' })],
    [
      'a type is a list',
      /equal to one of the allowed values/,
      (doctored) => {
        property(doctored, 'MessageBody', 'text').type = ['string', 'null'];
      },
    ],
    [
      'a required field is not there',
      /required property "other"/,
      (doctored) => {
        (doctored.components.schemas.MessageBody!.required as string[]).push('other');
      },
    ],
    [
      'an operation is there twice',
      /is there twice/,
      (doctored) => {
        page(doctored).operationId = 'MessagesController_post';
      },
    ],
  ];

  it.each(faults)('%s', (_, fault, doctor) => {
    const doctored = structuredClone(document);
    doctor(doctored);
    expect(faultsOf(doctored, facts).join('\n')).toMatch(fault);
  });

  function property(doctored: OpenApi, schema: string, name: string): Json {
    return (doctored.components.schemas[schema]!.properties as Record<string, Json>)[name]!;
  }
});

describe('"REST in brief" in docs/protocol.md', () => {
  const rows = tableOf('docs/protocol.md', 'route').map(({ route, answer, ...row }) => ({
    route: unquoted(route!).replace(/:(\w+)/g, '{$1}'),
    answer: answer!,
    input: row['body or query']!,
  }));
  const acks = new Map(tableOf('docs/protocol.md', 'command').map(({ command, ack }) => [unquoted(command!), ack!]));
  const frames = jsonBlocks('docs/protocol.md') as Json[];

  const fieldsOf = (node: Json) => Object.keys(resolved(document, node).properties ?? {}).sort();
  const namesIn = (cell: string) => [...(/\{([^}]*)\}/.exec(cell)?.[1] ?? '').matchAll(/(\w+)(?=[,?:]|$)/g)].map(([, name]) => name).sort();

  it('names the routes of the document', () => {
    expect(rows.map(({ route }) => route).sort()).toEqual([...operations.keys()].sort());
  });

  it('says which of them need no token', () => {
    const open = rows.filter(
      ({ route, answer }) => answer.includes('without a token') || /auth\/(register|login|refresh|logout)$/.test(route),
    );
    const described = [...operations].filter(([, { security }]) => security === undefined).map(([route]) => route);
    expect(open.map(({ route }) => route).sort()).toEqual(described.sort());
    const forAdmins = rows.filter(({ answer }) => /role `admin`|the same$/.test(answer)).map(({ route }) => route);
    const adminRoutes = [...operations].filter(([, { description }]) => description?.includes('role `admin`')).map(([route]) => route);
    expect(forAdmins.sort()).toEqual(adminRoutes.sort());
  });

  it('has the answers that the document has', () => {
    const message = Object.keys(frames.find((frame) => 'clientId' in frame)!).sort();
    const room = Object.keys(frames.find((frame) => 'memberCount' in frame)!).sort();
    const pair = namesIn(rows.find(({ route }) => route === 'POST /v1/auth/register')!.answer);
    for (const { route, answer } of rows) {
      const schemas = Object.entries(operations.get(route)!.responses)
        .filter(([status]) => /^2/.test(status))
        .filter(([, { content }]) => content?.['application/x-ndjson'] === undefined)
        .map(([, { content }]) => content?.['application/json']?.schema);
      for (const schema of schemas) {
        if (schema === undefined) expect([route, answer]).toEqual([route, expect.stringContaining('204')]);
        else if (/as (register|login)/.test(answer)) expect([route, fieldsOf(schema)]).toEqual([route, pair]);
        else if (answer.includes('history.get')) expect([route, fieldsOf(schema)]).toEqual([route, namesIn(acks.get('history.get')!)]);
        else if (/^list of/.test(answer)) expectList(route, answer, schema, room);
        else if (/^(\d{3} )?`\{/.test(answer)) expect([route, fieldsOf(schema)]).toEqual([route, namesIn(answer)]);
        else if (/\bmessage\b/.test(answer)) expect([route, fieldsOf(schema)]).toEqual([route, message]);
        else if (/\broom\b/.test(answer)) expect([route, fieldsOf(schema)]).toEqual([route, room]);
        else expect([route, answer]).toEqual([route, expect.stringMatching(/\bthe (caller|member|ban|mute|report)\b/)]);
      }
    }
  });

  it('has the lists and the headers that the document has', () => {
    for (const { route, input, answer } of rows) {
      const { parameters = [] } = operations.get(route)!;
      const isPaged = (/^list of/.test(answer) && !WHOLE_LISTS.includes(route)) || answer.includes('nextCursor');
      expect([route, parameters.some(({ name }) => name === 'cursor')]).toEqual([route, isPaged]);
      expect([route, parameters.some(({ name }) => name === 'limit')]).toEqual([route, isPaged || input.includes('`limit`')]);
      const header = /`Idempotency-Key(\??)`/.exec(input);
      const described = parameters.find((parameter) => parameter.in === 'header');
      expect([route, described?.name, described?.required]).toEqual([
        route,
        ...(header ? ['Idempotency-Key', header[1] === ''] : [undefined, undefined]),
      ]);
    }
  });

  function expectList(route: string, answer: string, schema: Json, room: string[]): void {
    const list = resolved(document, schema);
    expect([route, fieldsOf(schema)]).toEqual([route, ['items', 'nextCursor']]);
    const item = ((list.properties as Record<string, Json>).items as { items: Json }).items;
    if (answer.includes('{')) expect([route, fieldsOf(item)]).toEqual([route, namesIn(answer)]);
    if (answer.includes('rooms')) expect([route, fieldsOf(item)]).toEqual([route, room]);
  }
});

describe('/docs', () => {
  it('serves Swagger UI with this very document', async () => {
    const answer = await fetch(`${server.url}/docs`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
    const html = await answer.text();
    expect(html).toContain('<title>Parley API</title>');
    const assets = [...html.matchAll(/(?:src|href)=['"]\.\/([^'"]+)['"]/g)].map(([, path]) => path!);
    expect(assets).toEqual(expect.arrayContaining(['docs/swagger-ui.css', 'docs/swagger-ui-bundle.js', 'docs/swagger-ui-init.js']));
    for (const asset of assets) expect([asset, await statusOf(`${server.url}/${asset}`)]).toEqual([asset, 200]);
    const init = await (await fetch(`${server.url}/docs/swagger-ui-init.js`)).text();
    const options = /let options = (\{[\s\S]*?\n\});/.exec(init)![1]!;
    expect((JSON.parse(options) as { swaggerDoc: OpenApi }).swaggerDoc).toEqual(document);
  });

  it('is not there with DOCS=false', async () => {
    const silent = await startTestApp({ DOCS: 'false' });
    try {
      for (const path of ['/docs', '/openapi.json', '/docs-yaml']) expect([path, await statusOf(silent.url + path)]).toEqual([path, 404]);
    } finally {
      await silent.close();
    }
  });

  /** Reads the body too: an answer that nobody reads would hold up the server's end. */
  async function statusOf(url: string): Promise<number> {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    return answer.status;
  }
});

import { ERROR_CODES } from '../../src/protocol/index.js';
import { DocumentSchemas, type Json, type OpenApi, type Operation, operationsOf, type Parameter, resolved } from './openapi-document.js';
import { shapeFaults } from './openapi-shape.js';

/** The routes that need no token. */
export interface Facts {
  isPublic(operationId: string): boolean;
}

const ERROR_BODY = '#/components/schemas/ErrorBody';
/** Says which dependency is down, in the same words as when all are up. */
const READINESS = 'GET /health/ready 503';

/** Everything that the document leaves out, or says in a way that no program can follow; empty for a complete one. */
export function faultsOf(document: OpenApi, facts: Facts): string[] {
  const shape = shapeFaults(document);
  if (shape.length > 0) return shape;
  const refs = refFaults(document);
  if (refs.length > 0) return refs;
  const operations = [...operationsOf(document)];
  return [
    ...unusedFaults(document),
    ...schemaFaults(document),
    ...repeated(operations.map(([, { operationId }]) => operationId)).map((id) => `operationId ${id} is there twice`),
    ...operations.flatMap(([route, operation]) =>
      [
        ...wordFaults(document, operation),
        ...parameterFaults(route, operation),
        ...bodyFaults(document, route, operation),
        ...successFaults(document, operation),
        ...errorFaults(route, operation, facts.isPublic(operation.operationId)),
        ...securityFaults(document, operation, facts.isPublic(operation.operationId)),
      ].map((fault) => `${route}: ${fault}`),
    ),
  ];
}

function repeated(names: string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index);
}

const refsOf = (document: OpenApi) => [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, ref]) => ref!);

function refFaults(document: OpenApi): string[] {
  const lost = refsOf(document).filter((ref) => {
    try {
      return resolved(document, { $ref: ref }) === undefined;
    } catch {
      return true;
    }
  });
  return lost.map((ref) => `${ref} leads nowhere`);
}

function unusedFaults(document: OpenApi): string[] {
  const refs = refsOf(document);
  const unused = Object.keys(document.components.schemas).filter((name) => !refs.includes(`#/components/schemas/${name}`));
  return unused.map((name) => `nothing refers to the schema ${name}`);
}

/** Each schema can be used, and its examples are examples of it. */
function schemaFaults(document: OpenApi): string[] {
  const schemas = new DocumentSchemas(document);
  const faults: string[] = [];
  const visit = (node: unknown, steps: string[]): void => {
    if (typeof node !== 'object' || node === null) return;
    const { example } = node as Json;
    const isExampled = example !== undefined && !('in' in node) && !steps.includes('example');
    if (isExampled && !schemas.at(...steps)(example)) faults.push(`${steps.join('/')}: ${JSON.stringify(example)} is no example of it`);
    for (const [key, inner] of Object.entries(node)) if (key !== 'example') visit(inner, [...steps, key]);
  };
  try {
    for (const name of Object.keys(document.components.schemas)) schemas.at('components', 'schemas', name);
    visit(document.components.schemas, ['components', 'schemas']);
    visit(document.paths, ['paths']);
  } catch (error) {
    faults.push((error as Error).message);
  }
  return faults;
}

function wordFaults(document: OpenApi, { summary, tags = [] }: Operation): string[] {
  const known = document.tags.filter(({ description }) => description).map(({ name }) => name);
  return [
    ...(summary ? [] : ['has no summary']),
    ...(tags.length > 0 ? [] : ['has no tag']),
    ...tags.filter((tag) => !known.includes(tag)).map((tag) => `has the tag ${tag}, which is not described`),
  ];
}

/** What the words about a parameter must say, so that a reader can page without trying. */
const SEMANTICS: Record<string, RegExp> = {
  cursor: /`nextCursor`.*\blist\b/s,
  before: /`seq` is below/,
  after: /`seq` is above|`seq` of the last event that you have/,
  around: /`seq`.*middle/s,
  limit: /[Aa]t most/,
};

function parameterFaults(route: string, { parameters = [] }: Operation): string[] {
  const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
  const named = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const faults = repeated(parameters.map((parameter) => `${parameter.in} ${parameter.name}`)).map((name) => `has ${name} twice`);
  if (inPath.sort().join() !== named.sort().join()) faults.push(`names ${named.join()} in its path and describes ${inPath.join()}`);
  for (const parameter of parameters) faults.push(...aboutParameter(parameter).map((fault) => `${parameter.name} ${fault}`));
  return faults;
}

function aboutParameter({ name, in: place, description = '', example, schema }: Parameter): string[] {
  const faults: string[] = [];
  if (description === '') faults.push('is not described');
  if (example === undefined && schema.example === undefined) faults.push('has no example');
  if (place === 'query' && SEMANTICS[name] && !SEMANTICS[name].test(description)) faults.push(`is not explained by "${description}"`);
  if (name === 'limit' && !['minimum', 'maximum', 'default'].every((bound) => bound in schema)) faults.push('has no bounds or default');
  return faults;
}

function bodyFaults(document: OpenApi, route: string, { requestBody }: Operation): string[] {
  if (requestBody === undefined) return [];
  if (/^(GET|DELETE) /.test(route)) return ['has a body, which such requests cannot have'];
  return contentFaults(document, requestBody.content, 'the body');
}

function successFaults(document: OpenApi, { responses }: Operation): string[] {
  const successes = Object.entries(responses).filter(([status]) => /^2/.test(status));
  if (successes.length === 0) return ['has no answer of success'];
  return successes.flatMap(([status, { content }]) => {
    if (status === '204') return content === undefined ? [] : ['204 has content'];
    return contentFaults(document, content, status);
  });
}

function contentFaults(document: OpenApi, content: Operation['responses'][string]['content'], what: string): string[] {
  const types = Object.keys(content ?? {});
  if (!['application/json', 'application/x-ndjson'].includes(types.join())) return [`${what} is of the types ${types.join() || 'none'}`];
  const { schema, example } = content![types[0]!]!;
  if (schema === undefined) return [`${what} has no schema`];
  return example === undefined ? unexampled(document, schema, what, []) : [];
}

/** The parts of a schema that neither have an example nor consist of parts that have. */
function unexampled(document: OpenApi, node: Json, path: string, above: Json[]): string[] {
  const schema = resolved(document, node);
  if (schema.example !== undefined || above.includes(schema)) return [];
  const inner = (part: unknown, name: string) => unexampled(document, part as Json, `${path}${name}`, [...above, schema]);
  if (schema.type === 'array') return inner(schema.items, '[]');
  const alternatives = (schema.oneOf ?? schema.anyOf ?? schema.allOf) as Json[] | undefined;
  if (alternatives) return alternatives.filter((part) => String(part.enum) !== String([null])).flatMap((part) => inner(part, ''));
  if (schema.properties === undefined) return [`${path} has no example`];
  return Object.entries(schema.properties as Json).flatMap(([name, part]) => inner(part, `.${name}`));
}

function errorFaults(route: string, { parameters = [], requestBody, responses }: Operation, isPublic: boolean): string[] {
  const expected = ['400'];
  if (!route.includes('/health/')) expected.push('500', '503', '504');
  if (!isPublic) expected.push('401', '403', '429');
  if (requestBody !== undefined) expected.push('413');
  if (parameters.some(({ name, in: place }) => name === 'room' && place === 'path')) expected.push('404');
  const faults = expected.filter((status) => !(status in responses)).map((status) => `does not say that it may answer ${status}`);
  for (const [status, { content, description }] of Object.entries(responses)) {
    if (Number(status) < 400 || `${route} ${status}` === READINESS) continue;
    if (content?.['application/json']?.schema?.$ref !== ERROR_BODY) faults.push(`${status} is not described as an ErrorBody`);
    const codes = [...description.matchAll(/`(\w+)`/g)].map(([, code]) => code!);
    const isTrue = codes.length > 0 && codes.every((code) => ERROR_CODES[code as keyof typeof ERROR_CODES]?.status === Number(status));
    if (!isTrue) faults.push(`${status} does not name its codes`);
  }
  return faults;
}

function securityFaults(document: OpenApi, { security = [] }: Operation, isPublic: boolean): string[] {
  const schemes = security.flatMap((needed) => Object.keys(needed));
  const unknown = schemes.filter((scheme) => !(scheme in document.components.securitySchemes));
  if (unknown.length > 0) return [`needs ${unknown.join()}, which is not described`];
  if (isPublic) return schemes.length === 0 ? [] : ['asks for a token that it does not need'];
  return schemes.join() === 'bearer' ? [] : ['does not say that it needs a token'];
}

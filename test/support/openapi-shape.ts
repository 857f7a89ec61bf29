import { Ajv } from 'ajv';
import type { Json } from './openapi-document.js';

/** An object of OpenAPI 3.0: its fields are these and `x-` ones, and no other. */
function object(properties: Json, required: string[] = []): Json {
  return { type: 'object', properties, required, patternProperties: { '^x-': {} }, additionalProperties: false };
}

const map = (values: Json, propertyNames: Json = {}): Json => ({ type: 'object', propertyNames, additionalProperties: values });
const list = (items: Json): Json => ({ type: 'array', items });
const one = (name: string): Json => ({ $ref: `#/definitions/${name}` });
const text: Json = { type: 'string' };
const flag: Json = { type: 'boolean' };

/** After https://spec.openapis.org/oas/v3.0.3, without the parts that no document of ours uses: callbacks, links, cookies, OAuth. */
const SHAPE: Json = {
  ...object(
    {
      openapi: { type: 'string', pattern: '^3\\.0\\.\\d+$' },
      info: object({ title: text, version: text, description: text, contact: map(text), license: map(text) }, ['title', 'version']),
      servers: list(object({ url: text, description: text }, ['url'])),
      tags: list(object({ name: text, description: text }, ['name'])),
      paths: map(one('pathItem'), { pattern: '^/' }),
      components: object({
        schemas: map(one('schema'), { pattern: '^[\\w.-]+$' }),
        securitySchemes: map(
          object({ type: { const: 'http' }, scheme: { const: 'bearer' }, bearerFormat: text, description: text }, ['type', 'scheme']),
        ),
      }),
      security: list(map(list(text))),
    },
    ['openapi', 'info', 'paths'],
  ),
  definitions: {
    pathItem: object(Object.fromEntries(['get', 'put', 'post', 'delete', 'patch'].map((method) => [method, one('operation')]))),
    operation: object(
      {
        operationId: text,
        summary: text,
        description: text,
        tags: list(text),
        deprecated: flag,
        security: list(map(list(text))),
        parameters: list(one('parameter')),
        requestBody: object({ description: text, required: flag, content: one('content') }, ['content']),
        responses: { ...map(one('response'), { pattern: '^([1-5]\\d\\d|default)$' }), minProperties: 1 },
      },
      ['responses'],
    ),
    parameter: {
      ...object(
        { name: text, in: { enum: ['path', 'query', 'header'] }, required: flag, description: text, schema: one('schema'), example: {} },
        ['name', 'in', 'schema'],
      ),
      if: { properties: { in: { const: 'path' } } },
      then: { properties: { required: { const: true } }, required: ['required'] },
    },
    response: object({ description: text, headers: map({ type: 'object' }), content: one('content') }, ['description']),
    content: { ...map(object({ schema: one('schema'), example: {}, examples: { type: 'object' } })), minProperties: 1 },
    schema: {
      anyOf: [
        // Beside a `$ref` OpenAPI 3.0 ignores everything.
        { type: 'object', required: ['$ref'], properties: { $ref: text }, additionalProperties: false },
        {
          ...object({
            ...{
              title: text,
              description: text,
              format: text,
              pattern: text,
              default: {},
              example: {},
              enum: { type: 'array', minItems: 1 },
            },
            ...{ nullable: flag, readOnly: flag, writeOnly: flag, deprecated: flag, uniqueItems: flag },
            ...Object.fromEntries(
              ['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'].map((name) => [
                name,
                { type: 'integer', minimum: 0 },
              ]),
            ),
            ...{ minimum: { type: 'number' }, maximum: { type: 'number' }, exclusiveMinimum: flag, exclusiveMaximum: flag },
            // 3.0 has one type, never a list, and no null.
            type: { enum: ['object', 'array', 'string', 'number', 'integer', 'boolean'] },
            required: { type: 'array', items: text, minItems: 1, uniqueItems: true },
            properties: map(one('schema')),
            additionalProperties: { anyOf: [flag, one('schema')] },
            items: one('schema'),
            not: one('schema'),
            allOf: list(one('schema')),
            oneOf: list(one('schema')),
            anyOf: list(one('schema')),
          }),
          if: { properties: { type: { const: 'array' } }, required: ['type'] },
          then: { required: ['items'] },
        },
      ],
    },
  },
};

const hasShape = new Ajv({ strict: false, allErrors: true }).compile(SHAPE);

/** What is wrong with the structure of an OpenAPI 3.0 document. */
export function shapeFaults(document: unknown): string[] {
  if (hasShape(document)) return [];
  return hasShape.errors!.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

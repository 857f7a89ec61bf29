import type { INestApplication } from '@nestjs/common';
import { ModulesContainer, Reflector } from '@nestjs/core';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { IS_PUBLIC } from '../../src/auth/public.js';
import { RequiredScope, type Scope } from '../../src/auth/scopes.js';

export type Json = { [key: string]: unknown };

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  description?: string;
  example?: unknown;
  schema: Json;
}

export interface Content {
  content?: Record<string, { schema?: Json; example?: unknown }>;
}

export interface Operation {
  operationId: string;
  summary?: string;
  description?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: Content & { required?: boolean };
  responses: Record<string, Content & { description: string }>;
}

export interface OpenApi {
  openapi: string;
  info: { title: string; version: string; description?: string };
  tags: { name: string; description?: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json>; securitySchemes: Record<string, Json> };
}

/** The document as a running server gives it to anybody. */
export async function fetchDocument(url: string): Promise<OpenApi> {
  const response = await fetch(`${url}/openapi.json`);
  if (response.status !== 200) throw new Error(`/openapi.json answered ${response.status}`);
  return (await response.json()) as OpenApi;
}

/** By names such as `GET /v1/rooms/{room}`, in the document's order. */
export function operationsOf(document: OpenApi): Map<string, Operation> {
  return new Map(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]),
    ),
  );
}

/** Follows a `$ref`. @throws when it leads nowhere */
export function resolved(document: OpenApi, node: Json): Json {
  if (typeof node.$ref !== 'string') return node;
  const steps = node.$ref.replace(/^#\//, '').split('/');
  const target = steps.reduce<unknown>((at, step) => (at as Json | undefined)?.[unescaped(step)], document);
  if (!node.$ref.startsWith('#/') || target === undefined) throw new Error(`${node.$ref} leads nowhere`);
  return target as Json;
}

const unescaped = (step: string) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
const escaped = (step: string) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'));

const NO_JSON_SCHEMA = ['openapi', 'paths', 'info', 'tags', 'servers', 'components', 'example', 'discriminator'];

/**
 * The document's schemas as validators, each named by the path to it. What a schema does not name is refused, unless it says otherwise;
 * a keyword that OpenAPI does not have, or a `$ref` to nothing, throws.
 */
export class DocumentSchemas {
  readonly #ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: true, allErrors: true, keywords: NO_JSON_SCHEMA });

  constructor(document: OpenApi) {
    formats.default(this.#ajv);
    this.#ajv.addSchema({ ...(closed(document) as Json), $id: 'openapi' });
  }

  at(...steps: string[]): ValidateFunction {
    return this.#ajv.compile({ $ref: `openapi#/${steps.map(escaped).join('/')}` });
  }
}

/** Examples are not schemas, whatever they look like. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, key === 'example' ? value : closed(value)]));
  const isOpenObject = copy.type === 'object' && copy.properties !== undefined && copy.additionalProperties === undefined;
  return isOpenObject ? { ...copy, additionalProperties: false } : copy;
}

/** Routes that Express has, as the document names them, and those of the documentation itself. */
export function routesOf(app: INestApplication): { api: string[]; docs: string[] } {
  interface Layer {
    route?: { path: string; methods: Record<string, boolean> };
  }
  const { router } = app.getHttpAdapter().getInstance() as { router: { stack: Layer[] } };
  const routes = router.stack.flatMap(({ route }) => (route === undefined ? [] : [route]));
  const names = routes
    .filter(({ path }) => path !== '{/*splat}') // Nest's middleware, such as the logger
    .flatMap(({ path, methods }) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/:(\w+)/g, '{$1}')}`));
  const isOfDocs = (name: string) => /^GET \/(docs|openapi\.json)/.test(name);
  return { api: names.filter((name) => !isOfDocs(name)), docs: names.filter(isOfDocs) };
}

interface Handler {
  isPublic: boolean;
  /** What a key needs. */
  scope: Scope | undefined;
}

/** What the controllers themselves say: their handlers, whether the JWT guard lets everybody pass, and the scope. The ids are the document's. */
export function handlersOf(app: INestApplication): Map<string, Handler> {
  const handlers = new Map<string, Handler>();
  const reflector = new Reflector();
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype } of module.controllers.values()) {
      const controller = metatype as { name: string; prototype: Record<string, object> };
      for (const name of Object.getOwnPropertyNames(controller.prototype).filter((own) => own !== 'constructor')) {
        const handler = controller.prototype[name]!;
        if (!Reflect.hasMetadata('path', handler)) continue;
        const isPublic = [handler, controller].some((marked) => Reflect.getMetadata(IS_PUBLIC, marked) === true);
        const scope = reflector.get(RequiredScope, handler as () => void) as Scope | undefined;
        handlers.set(`${controller.name}_${name}`, { isPublic, scope });
      }
    }
  }
  return handlers;
}

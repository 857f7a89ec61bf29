import type { ValidateFunction } from 'ajv';
import { RATE_LIMITS } from '../../src/errors/rate-limit-headers.js';
import { DocumentSchemas, type OpenApi, type Operation, operationsOf, type Parameter } from './openapi-document.js';

/** A request, in the terms of the document. */
export interface Ask {
  /** An access token. */
  token?: string;
  path?: Record<string, string | number>;
  query?: Record<string, string | number>;
  headers?: Record<string, string>;
  body?: unknown;
  /** A body as it is, that need not be JSON. */
  raw?: string;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

/**
 * Asks servers, and holds each answer, and each request that succeeded, against their document: the status must be one of the
 * operation's, the body must fit its schema and have nothing besides. Remembers what was seen.
 */
export class OpenApiRecorder {
  readonly operations: Map<string, Operation>;
  /** What was answered as the document says, in order. */
  readonly answers: { route: string; ask: Ask; answer: Answer }[] = [];
  readonly #schemas: DocumentSchemas;
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(document: OpenApi) {
    this.operations = operationsOf(document);
    this.#schemas = new DocumentSchemas(document);
  }

  /** @param route such as `GET /v1/rooms/{room}` @throws when the answer has another status, or is not as the document says */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  async ask(url: string, route: string, status: number | readonly number[], ask: Ask = {}): Promise<any> {
    const [method, template] = route.split(' ') as [string, string];
    const query = new URLSearchParams(
      Object.entries(ask.query ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ask.path?.[name] ?? `no ${name}`));
    const body = ask.raw ?? (ask.body === undefined ? undefined : JSON.stringify(ask.body));
    const response = await fetch(`${url}${path}${query === '' ? '' : `?${query}`}`, {
      method,
      headers: {
        ...(ask.token !== undefined && { authorization: `Bearer ${ask.token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...ask.headers,
      },
      ...(body !== undefined && { body }),
    });
    const answer = { status: response.status, headers: response.headers, text: await response.text() };
    const faults = this.faultsOf(route, ask, answer);
    if (![status].flat().includes(answer.status)) faults.unshift(`expected ${String(status)}`);
    if (faults.length > 0) {
      const asked = JSON.stringify({ ...ask, token: undefined }).slice(0, 500);
      throw new Error(`${route} ${asked}\nanswered ${answer.status} ${answer.text.slice(0, 1000)}\n${faults.join('\n')}`);
    }
    this.answers.push({ route, ask, answer });
    return !headerIsJson(answer) ? undefined : (JSON.parse(answer.text) as unknown);
  }

  /** What of an answer, or of a request that succeeded, is not as the document says. */
  faultsOf(route: string, ask: Ask, answer: Answer): string[] {
    const operation = this.operations.get(route);
    if (operation === undefined) return ['the document does not have this operation'];
    const { status } = answer;
    const requestFaults = status < 300 ? this.#requestFaults(route, operation, ask) : [];
    return [...requestFaults, ...this.#answerFaults(route, operation, answer), ...headerFaults(answer)];
  }

  /** The answers that the document promises and nobody got, as `GET /v1/me 200`. */
  unseen(): string[] {
    const promised = [...this.operations].flatMap(([route, { responses }]) => Object.keys(responses).map((status) => `${route} ${status}`));
    const seen = new Set(this.answers.map(({ route, answer }) => `${route} ${answer.status}`));
    return promised.filter((answer) => !seen.has(answer));
  }

  #answerFaults(route: string, { responses }: Operation, { status, headers, text }: Answer): string[] {
    const described = responses[status];
    if (described === undefined) return [`the document does not say that it may answer ${status}`];
    if (described.content === undefined) return text === '' ? [] : ['the document says that there is no body'];
    const lines = described.content['application/x-ndjson'];
    if (lines !== undefined) {
      if (headers.get('content-type') !== 'application/x-ndjson; charset=utf-8') return ['it is not of the type application/x-ndjson'];
      const schema = [...steps(route), 'responses', String(status), 'content', 'application/x-ndjson', 'schema'];
      return text
        .split('\n')
        .filter(Boolean)
        .flatMap((line) => this.#misfits(schema, JSON.parse(line)));
    }
    if (!/^application\/json; charset=utf-8$/.test(headers.get('content-type') ?? '')) return ['it is not of the type application/json'];
    return this.#misfits([...steps(route), 'responses', String(status), 'content', 'application/json', 'schema'], JSON.parse(text));
  }

  #requestFaults(route: string, { parameters = [], requestBody }: Operation, { path = {}, query = {}, headers = {}, body }: Ask): string[] {
    const given: Record<string, Record<string, string | number>> = { path, query, header: headers };
    const faults = Object.entries(given).flatMap(([place, values]) =>
      Object.keys(values)
        .filter((name) => !parameters.some((parameter) => parameter.in === place && parameter.name === name))
        .map((name) => `the document has no parameter ${name} in the ${place}`),
    );
    parameters.forEach((parameter, index) => {
      const value = given[parameter.in]?.[parameter.name];
      if (value === undefined) faults.push(...(parameter.required ? [`it succeeded without ${parameter.name}`] : []));
      else faults.push(...this.#misfits([...steps(route), 'parameters', String(index), 'schema'], typed(parameter, value)));
    });
    if (body === undefined) return requestBody?.required ? [...faults, 'it succeeded without a body'] : faults;
    if (requestBody === undefined) return [...faults, 'the document has no body'];
    return [...faults, ...this.#misfits([...steps(route), 'requestBody', 'content', 'application/json', 'schema'], body)];
  }

  #misfits(path: string[], value: unknown): string[] {
    const key = path.join(' ');
    const validate = this.#validators.get(key) ?? this.#schemas.at(...path);
    this.#validators.set(key, validate);
    if (validate(value)) return [];
    return validate.errors!.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
  }
}

function headerIsJson({ headers }: Answer): boolean {
  return headers.get('content-type')?.startsWith('application/json') === true;
}

function steps(route: string): string[] {
  const [method, path] = route.split(' ') as [string, string];
  return ['paths', path, method.toLowerCase()];
}

/** Everything in a URL is text. */
function typed({ schema }: Parameter, value: string | number): unknown {
  return schema.type === 'integer' ? Number(value) : String(value);
}

/** A refusal names the limit that refused, with nothing left until the time to try again. */
function limitFaults(headers: Headers): string[] {
  const [, refused] = /^"(\w+)";q=\d+(?:;w=\d+)?$/.exec(headers.get('ratelimit-policy') ?? '') ?? [];
  if (refused === undefined || !(refused in RATE_LIMITS)) return ['429 without RateLimit-Policy'];
  const told = `"${refused}";r=0;t=${headers.get('retry-after')}`;
  return headers.get('ratelimit') === told ? [] : [`429 whose RateLimit is not ${told}`];
}

/** What goes with a status whatever the operation. */
function headerFaults({ status, headers, text }: Answer): string[] {
  const faults: string[] = [];
  if (status === 401 && headers.get('www-authenticate') !== 'Bearer') faults.push('401 without WWW-Authenticate');
  if (status === 429 && !(Number(headers.get('retry-after')) > 0)) faults.push('429 without Retry-After');
  if (status === 429) faults.push(...limitFaults(headers));
  const { requestId, retryAfterMs } = (status >= 400 ? JSON.parse(text) : {}) as { requestId?: string; retryAfterMs?: number };
  if (status === 429 && !(Number(retryAfterMs) > 0)) faults.push('429 without retryAfterMs');
  if (requestId !== undefined && requestId !== headers.get('x-request-id')) faults.push('its requestId is not the one in x-request-id');
  return faults;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Params } from 'nestjs-pino';
import type { Config } from './config.js';

const SECRET_PARAMETER = /([?&](?:access_token|ticket)=)[^&#]*/gi;

const SECRET_HEADERS = ['authorization', 'cookie', 'set-cookie', 'sec-websocket-protocol', 'proxy-authorization'];

/** A URL as it may be logged: the values of `access_token` and `ticket` are gone. */
export function redactUrl(url: string): string {
  // A name may be written with percent signs ("ticke%74"), which the query parser undoes: such a query is not shown at all.
  const query = url.indexOf('?');
  if (query >= 0 && /[?&][^=&#]*%/.test(url.slice(query))) return `${url.slice(0, query)}?[redacted]`;
  return url.replace(SECRET_PARAMETER, '$1[redacted]');
}

/** What Nest tells of each module and route at every start. */
const START_UP_CONTEXTS = new Set<unknown>([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'WebSocketsController',
  'NestApplication',
]);
const INFO = 30;
/** `unavailable` and `timeout`: something that the server needs was away, or it is stopping. Nothing failed in the server itself. */
const UNABLE = new Set([503, 504]);

/** Structured logs, one JSON object a line on stdout: one line a request, without its headers and without secrets. */
export function loggerParams(config: Config): Params {
  return {
    pinoHttp: {
      level: config.logLevel,
      genReqId: (request) => request.id, // given by the request-id middleware, which runs before everything
      hooks: {
        logMethod(args, method, level) {
          const { context } = args[0] as { context?: unknown };
          if (level !== INFO || !START_UP_CONTEXTS.has(context) || this.isLevelEnabled('debug')) method.apply(this, args);
        },
      },
      autoLogging: { ignore: (request) => request.url?.startsWith('/health/') ?? false },
      customLogLevel: (_request, response, error) => {
        if (UNABLE.has(response.statusCode)) return 'warn';
        return error !== undefined || response.statusCode >= 500 ? 'error' : 'info';
      },
      customSuccessMessage: () => 'request',
      customErrorMessage: () => 'request failed',
      serializers: { req: requestView, err: errorView, res: (response: ServerResponse) => ({ status: response.statusCode }) },
      redact: { paths: SECRET_HEADERS.flatMap((name) => [`headers["${name}"]`, `*.headers["${name}"]`]), censor: '[redacted]' },
    },
  };
}

interface SerializedError {
  type: string;
  message: string;
  stack: string;
  raw?: { code?: unknown; driverError?: { code?: unknown } };
}

// An error of TypeORM or of the driver carries its statement's values: people's words, and hashes of passwords.
function errorView({ type, message, stack, raw }: SerializedError): object {
  const code = raw?.code ?? raw?.driverError?.code;
  return { type, message, stack, ...(typeof code === 'string' && { code }) };
}

interface SerializedRequest {
  id: unknown;
  method: string;
  url: string;
  remoteAddress?: string;
  raw?: IncomingMessage;
}

function requestView({ id, method, url, remoteAddress }: SerializedRequest): object {
  return { id, method, url: redactUrl(url), remoteAddress };
}

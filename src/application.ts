import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import type { ServerResponse } from 'node:http';
import { AppModule } from './app.module.js';
import { Authenticator } from './auth/authenticator.js';
import type { AuthenticatedRequest } from './auth/current-user.js';
import { limitUnread, UNPROVEN_BODY_BYTES } from './auth/limit-unread.js';
import { LimitedErrorFilter } from './auth/limited-error.filter.js';
import { RequestLimits } from './auth/request-limits.js';
import type { Config } from './config/config.js';
import { UndeclaredInputGuard } from './errors/undeclared-input.guard.js';
import { validationPipe } from './errors/validation.pipe.js';
import { serveOpenApi } from './openapi.js';
import { ChatAdapter } from './realtime/ws.adapter.js';
import { answerScrape } from './telemetry/metrics-port.js';
import { Metrics } from './telemetry/metrics.js';
import { traceRequests } from './telemetry/trace-requests.js';
import { Tracer } from './telemetry/tracing.js';
import { headerLimit, requestId } from './request-id.js';

/** Largest JSON body: four times the largest frame of a socket, since a room may be made with 200 members. */
const BODY_BYTES = 262_144;
/**
 * Longer than clients and proxies keep a connection that they do not use. Whoever sends next must be the one who closes, or a request meets
 * the close on its way, and its sender cannot know whether it was done.
 */
const IDLE_CONNECTION_MS = 75_000;

/**
 * The whole server, ready to `listen`; its database must be migrated. `close()` ends it with all its connections.
 * @throws when a module cannot be made, such as when PostgreSQL is not there: then nothing is left open
 */
export async function createApplication(config: Config): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.register(config), {
    bodyParser: false,
    bufferLogs: true,
    abortOnError: false,
  });
  app.useLogger(app.get(Logger));
  app.set('trust proxy', config.trustedProxies);
  app.disable('x-powered-by');
  app.disable('etag');
  app.getHttpServer().keepAliveTimeout = IDLE_CONNECTION_MS;
  app.use(requestId, headerLimit);
  const tracer = app.get(Tracer, { strict: false });
  if (tracer.isOn) app.use(traceRequests(tracer));
  // Before the limits, so that pages of the allowed Origins can read what they say, and preflights are free.
  if (config.allowedOrigins.length > 0) {
    app.enableCors({
      origin: [...config.allowedOrigins],
      exposedHeaders: ['x-request-id', 'retry-after', 'ratelimit', 'ratelimit-policy'],
      maxAge: 600,
    });
  }
  readBodies(app, config);
  app.useGlobalFilters(app.get(LimitedErrorFilter));
  // Behind the guards of the modules, which are there already.
  app.useGlobalGuards(new UndeclaredInputGuard());
  app.useGlobalPipes(validationPipe());
  app.useWebSocketAdapter(new ChatAdapter(app));
  if (config.docs) serveOpenApi(app);
  if (config.metrics && config.metricsPort === undefined) serveMetrics(app);
  return app;
}

function readBodies(app: NestExpressApplication, config: Config): void {
  if (config.limits) {
    app.use(limitUnread(app.get(RequestLimits), app.get(Authenticator)));
    const isOfUnproven = (request: AuthenticatedRequest) => !request.isProven && request.is('json');
    app.useBodyParser('json', { limit: UNPROVEN_BODY_BYTES, type: (request) => isOfUnproven(request as AuthenticatedRequest) });
  }
  app.useBodyParser('json', { limit: BODY_BYTES });
}

/** `GET /metrics` on the main port. It is no part of the interface that /openapi.json describes. */
function serveMetrics(app: NestExpressApplication): void {
  const metrics = app.get(Metrics, { strict: false });
  app.use('/metrics', (_request: unknown, response: ServerResponse) => answerScrape(response, () => metrics.page()));
}

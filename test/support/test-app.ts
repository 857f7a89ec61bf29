import type { NestExpressApplication } from '@nestjs/platform-express';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createApplication } from '../../src/application.js';
import { Config } from '../../src/config/config.js';
import { loadSettings, type Settings } from '../../src/config/settings.js';
import { CLOSE_MS, LISTEN_BACKLOG } from '../../src/web-server.js';
import { createTestDatabase } from './test-database.js';

const SECRET = 'a-secret-of-the-tests-0123456789-abcdefghij';

export type TestSettings = Partial<Record<keyof Settings, string>>;

export interface TestApp {
  /** Without a slash at its end. */
  url: string;
  wsUrl: string;
  databaseUrl: string;
  app: NestExpressApplication;
  /** An access token as somebody's backend would sign it; `claims` are over the usual ones, and `undefined` leaves one out. */
  token(userId: string, claims?: Record<string, unknown>): string;
  /** Ends the application and drops its database. */
  close(): Promise<void>;
}

/**
 * The real application in this process, on a free port, over a database of its own. Rate limits are off and the log is silent unless
 * `settings` say otherwise; with DATABASE_URL among them, that database is used, and left as it is.
 */
export async function startTestApp(settings: TestSettings = {}): Promise<TestApp> {
  const database = settings.DATABASE_URL === undefined ? await createTestDatabase() : undefined;
  const databaseUrl = database?.url ?? settings.DATABASE_URL!;
  const config = testConfig(databaseUrl, settings);
  let app: NestExpressApplication | undefined;
  try {
    app = await createApplication(config);
    await app.init();
    await once(app.getHttpServer().listen({ port: 0, host: '127.0.0.1', backlog: LISTEN_BACKLOG }), 'listening');
  } catch (error) {
    await app?.close();
    await database?.drop();
    throw error;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  const started = app;
  return {
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}/ws`,
    databaseUrl,
    app: started,
    token: (userId, claims) => signToken(config, userId, claims),
    close: async () => {
      const cut = setTimeout(() => started.getHttpServer().closeAllConnections(), CLOSE_MS);
      await started.close().finally(() => clearTimeout(cut));
      await database?.drop();
    },
  };
}

/** What `startTestApp` runs by. */
export function testConfig(databaseUrl: string, settings: TestSettings = {}): Config {
  const loaded = loadSettings({ LOG_LEVEL: 'silent', LIMITS: 'off', DATABASE_POOL: '8', JWT_SECRET: SECRET, DRAIN_MS: '0', ...settings });
  return new Config(loaded, { databaseUrl, jwtSecrets: loaded.JWT_SECRET! });
}

function signToken(config: Config, userId: string, claims: Record<string, unknown> = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const usual = { sub: userId, iss: config.jwtIssuer, aud: config.jwtAudience, iat: now, exp: now + 3600, jti: randomUUID() };
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ ...usual, ...claims })}`;
  return `${signed}.${createHmac('sha256', config.jwtSecrets[0]!).update(signed).digest('base64url')}`;
}

import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { createHmac, randomUUID } from 'node:crypto';
import request from 'supertest';
import { AdminModule } from '../../src/admin/admin.module.js';
import { AuditModule } from '../../src/audit/audit.module.js';
import { AuthModule } from '../../src/auth/auth.module.js';
import { BusModule } from '../../src/bus/bus.module.js';
import { type Act, RoomBus } from '../../src/bus/room-bus.js';
import { Config } from '../../src/config/config.js';
import { loadSettings } from '../../src/config/settings.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { DatabaseModule } from '../../src/database/database.module.js';
import { HttpErrorFilter } from '../../src/errors/http-error.filter.js';
import { validationPipe } from '../../src/errors/validation.pipe.js';

export const TEST_SECRET = 'the-secret-of-the-tests-0123456789abcdef';

/** The HTTP server of the auth and admin modules on a database that is there, and what they told the bus. */
export interface AuthApp {
  app: NestExpressApplication;
  http: ReturnType<typeof request>;
  acts: Act[];
  close(): Promise<void>;
}

export async function startAuthApp(databaseUrl: string, environment: Record<string, string> = {}): Promise<AuthApp> {
  const config = new Config(loadSettings({ DATABASE_POOL: '6', ...environment }), { databaseUrl, jwtSecrets: [TEST_SECRET] });
  const module = await Test.createTestingModule({
    imports: [ConfigModule.register(config), DatabaseModule, BusModule, AuditModule, AuthModule, AdminModule],
  }).compile();
  const app = module.createNestApplication<NestExpressApplication>({ logger: false });
  app.useGlobalPipes(validationPipe());
  app.useGlobalFilters(new HttpErrorFilter());
  const acts: Act[] = [];
  app.get(RoomBus).listen({ onAct: ({ act }) => acts.push(act) });
  await app.listen(0, '127.0.0.1');
  return { app, http: request(app.getHttpServer()), acts, close: () => app.close() };
}

/** An access token as another program that has the secret makes it. */
export function foreignToken(claims: Record<string, unknown> = {}): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const head = encode({ alg: 'HS256', typ: 'JWT' });
  const body = encode({ sub: 'u7', iss: 'parley', aud: 'parley', iat: now, exp: now + 60, jti: randomUUID(), ...claims });
  return `${head}.${body}.${createHmac('sha256', TEST_SECRET).update(`${head}.${body}`).digest('base64url')}`;
}

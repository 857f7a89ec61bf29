import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { randomUUID } from 'node:crypto';
import request from 'supertest';
import { DataSource } from 'typeorm';
import { BusModule } from '../../src/bus/bus.module.js';
import { type LogEvent, RoomBus, type Signal } from '../../src/bus/room-bus.js';
import { Config } from '../../src/config/config.js';
import { loadSettings } from '../../src/config/settings.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { DatabaseModule } from '../../src/database/database.module.js';
import { HttpErrorFilter } from '../../src/errors/http-error.filter.js';
import { validationPipe } from '../../src/errors/validation.pipe.js';
import { MessagingModule } from '../../src/messaging/messaging.module.js';
import type { Role, RoomType } from '../../src/protocol/index.js';
import { TelemetryModule } from '../../src/telemetry/telemetry.module.js';
import { foreignToken, TEST_SECRET } from './auth-app.js';
import { createTestDatabase } from './test-database.js';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** The HTTP server of the messaging module over a database of its own, and what the module told the bus. */
export interface MessagingApp {
  app: NestExpressApplication;
  sql: DataSource;
  /** Durable events as they were published, by room, in the order in which they came. */
  published: Map<string, { event: LogEvent; frame: Record<string, unknown> }[]>;
  signals: Signal[];
  /** A request about a room, by a user of that id. */
  call(user: string, method: Method, room: string, path: string): request.Test;
  post(user: string, room: string, text: string, key?: string): request.Test;
  /** A room of these members, made behind the back of the rooms module; its maker is no member. */
  room(type: RoomType, members: Record<string, Role>): Promise<string>;
  close(): Promise<void>;
}

export async function startMessagingApp(): Promise<MessagingApp> {
  const database = await createTestDatabase();
  const settings = loadSettings({ DATABASE_POOL: '6', LIMITS: 'off' });
  const config = new Config(settings, { databaseUrl: database.url, jwtSecrets: [TEST_SECRET] });
  const imports = [ConfigModule.register(config), TelemetryModule, DatabaseModule, BusModule, MessagingModule];
  const module = await Test.createTestingModule({ imports }).compile();
  const app = module.createNestApplication<NestExpressApplication>({ logger: false });
  app.useGlobalPipes(validationPipe());
  app.useGlobalFilters(new HttpErrorFilter());
  await app.listen(0, '127.0.0.1');

  const published: MessagingApp['published'] = new Map();
  const signals: Signal[] = [];
  app.get(RoomBus).listen({
    onNote: ({ room, events }) => {
      const frames = events.map((event) => ({ event, frame: jsonOf(event.frame) }));
      published.set(room, [...(published.get(room) ?? []), ...frames]);
    },
    onSignal: (signal) => signals.push(signal),
  });

  const sql = app.get(DataSource);
  const http = request(app.getHttpServer());
  const tokens = new Map<string, string>();
  const tokenOf = (user: string) => tokens.get(user) ?? tokens.set(user, foreignToken({ sub: user, exp: 2_000_000_000 })).get(user)!;
  const call: MessagingApp['call'] = (user, method, room, path) =>
    http[method](`/v1/rooms/${room}${path}`).auth(tokenOf(user), { type: 'bearer' });

  return {
    app,
    sql,
    published,
    signals,
    call,
    post: (user, room, text, key = randomUUID()) => call(user, 'post', room, '/messages').set('Idempotency-Key', key).send({ text }),
    room: async (type, members) => {
      const id = randomUUID();
      const users = Object.keys(members);
      await sql.query(`INSERT INTO rooms (id, type, epoch, member_count, created_by) VALUES ($1, $2, 'e1', $3, 'maker')`, [
        id,
        type,
        users.length,
      ]);
      await sql.query(`INSERT INTO memberships (room_id, user_id, role) SELECT $1, * FROM unnest($2::text[], $3::text[])`, [
        id,
        users,
        Object.values(members),
      ]);
      return id;
    },
    close: async () => {
      await app.close();
      await database.drop();
    },
  };
}

/** What a WebSocket text frame says. */
export function jsonOf(frame: Buffer): Record<string, unknown> {
  const head = frame[1]! < 126 ? 2 : frame[1] === 126 ? 4 : 10;
  return JSON.parse(frame.subarray(head).toString('utf8')) as Record<string, unknown>;
}

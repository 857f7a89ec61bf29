import request from 'supertest';
import { DataSource } from 'typeorm';
import { type Act, type LogEvent, RoomBus } from '../../src/bus/room-bus.js';
import type { RoomView } from '../../src/protocol/index.js';
import { startTestApp } from './test-app.js';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

export interface PublishedEvent extends Pick<LogEvent, 'seq' | 'event' | 'user' | 'ends'> {
  data: Record<string, unknown>;
}

/** The whole server over a database of its own, asked over REST, and what it told the bus of rooms. */
export interface RoomsApp {
  sql: DataSource;
  acts: Act[];
  /** The room's events in the order of publishing. */
  events(room: string): PublishedEvent[];
  /** A request by a user of that id; `path` comes behind /v1. */
  call(user: string, method: Method, path: string, body?: object): request.Test;
  /** One without a token. */
  anonymous(method: Method, path: string): request.Test;
  /** The document at /openapi.json. */
  openApi(): Promise<Record<string, unknown>>;
  /** Makes a room. */
  make(user: string, draft: object): Promise<RoomView>;
  /** Sends a message. @returns its seq */
  send(user: string, room: string, text?: string): Promise<number>;
  /** Members by SQL, without events, until there are so many. */
  fill(room: string, memberCount: number): Promise<void>;
  close(): Promise<void>;
}

export async function startRoomsApp(): Promise<RoomsApp> {
  const server = await startTestApp();
  const http = request(server.url);
  const sql = server.app.get(DataSource);
  const acts: Act[] = [];
  const published = new Map<string, PublishedEvent[]>();
  server.app.get(RoomBus).listen({
    onAct: ({ act }) => acts.push(act),
    onNote: ({ room, events }) => published.set(room, [...(published.get(room) ?? []), ...events.map(readable)]),
  });

  const call: RoomsApp['call'] = (user, method, path, body) => {
    const sent = http[method](`/v1${path}`).auth(server.token(user), { type: 'bearer' });
    return body === undefined ? sent : sent.send(body);
  };
  return {
    sql,
    acts,
    events: (room) => published.get(room) ?? [],
    call,
    anonymous: (method, path) => http[method](`/v1${path}`),
    openApi: async () => (await http.get('/openapi.json').expect(200)).body as Record<string, unknown>,
    make: async (user, draft) => (await call(user, 'post', '/rooms', draft).expect(201)).body as RoomView,
    send: async (user, room, text = 'hi') => {
      const { body } = await call(user, 'post', `/rooms/${room}/messages`, { text }).set('Idempotency-Key', `${Math.random()}`).expect(201);
      return body.seq as number;
    },
    fill: async (room, memberCount) => {
      await sql.query(
        `INSERT INTO memberships (room_id, user_id, role)
          SELECT $1, 'filler-' || i, 'member' FROM generate_series(1, $2 - (SELECT member_count FROM rooms WHERE id = $1)) i`,
        [room, memberCount],
      );
      await sql.query('UPDATE rooms SET member_count = $2 WHERE id = $1', [room, memberCount]);
    },
    close: () => server.close(),
  };
}

function readable({ seq, event, user, ends, frame }: LogEvent): PublishedEvent {
  const text = frame.subarray(frame.indexOf('{')).toString();
  return { seq, event, user, ends, data: (JSON.parse(text) as { data: Record<string, unknown> }).data };
}

import { randomUUID } from 'node:crypto';
import type { Ask, OpenApiRecorder } from './openapi-recorder.js';
import type { TestApp } from './test-app.js';

export const ACCOUNT = { username: 'ada', password: 'correct horse battery staple' };
export const ROOMS = '/v1/rooms';
export const ROOM = '/v1/rooms/{room}';
export const MESSAGE = '/v1/rooms/{room}/messages/{seq}';

/** Users who talk to one server through a recorder. `talk` has every route succeed, in each way that it can. */
export class Conversation {
  constructor(
    private readonly recorder: OpenApiRecorder,
    private readonly server: TestApp,
  ) {}

  /** A request of that user, who is known by a token from elsewhere. */
  as(user: string, ask: Ask = {}): Ask {
    return { token: this.server.token(user), ...ask };
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  ask(route: string, status: number, asked?: Ask): Promise<any> {
    return this.recorder.ask(this.server.url, route, status, asked);
  }

  /** Ada makes a room. @returns its id */
  async room(draft: object): Promise<string> {
    return ((await this.ask(`POST ${ROOMS}`, 201, this.as('ada', { body: draft }))) as { id: string }).id;
  }

  /** @returns the seq of the message */
  async send(user: string, to: string): Promise<number> {
    const headers = { 'Idempotency-Key': randomUUID() };
    const asked = this.as(user, { path: { room: to }, headers, body: { text: 'hi', meta: { mood: 'good' } } });
    return ((await this.ask(`POST ${ROOM}/messages`, 201, asked)) as { seq: number }).seq;
  }

  async talk(): Promise<void> {
    await this.#accounts();
    await this.#rooms();
    await this.#messages();
  }

  async #accounts(): Promise<void> {
    await this.ask('POST /v1/auth/register', 201, { body: { ...ACCOUNT, name: 'Ada Lovelace' } });
    const login = (await this.ask('POST /v1/auth/login', 200, { body: ACCOUNT })) as {
      accessToken: string;
      refreshToken: string;
      user: { id: string };
    };
    const { refreshToken } = (await this.ask('POST /v1/auth/refresh', 200, { body: { refreshToken: login.refreshToken } })) as typeof login;
    await this.ask('POST /v1/auth/tickets', 201, { token: login.accessToken });
    await this.ask('GET /v1/me', 200, { token: login.accessToken });
    await this.ask('GET /v1/me', 200, { token: this.server.token('guest', { roles: ['admin', 'other'], name: 'Guest' }) });
    await this.ask('GET /v1/users', 200, this.as('guest', { query: { ids: `guest,${login.user.id},nobody` } }));
    await this.ask('POST /v1/auth/logout', 204, { body: { refreshToken } });
    const token = this.server.token('root', { roles: ['admin'] });
    for (const method of ['PUT', 'DELETE', 'DELETE'])
      await this.ask(`${method} /v1/admin/users/{user}/ban`, 204, { token, path: { user: 'u 9/é' } });
    await this.ask('POST /v1/admin/notices', 202, { token, body: { text: 'Back soon', level: 'info' } });
    await this.ask('POST /v1/admin/notices', 202, { token, body: { text: 'Back soon', level: 'critical', user: 'u1' } });
    const audit = {
      actor: 'root',
      action: 'user.ban',
      target: 'u 9/é',
      outcome: 'ok',
      from: '2020-01-01T00:00:00Z',
      to: '2999-01-01T00:00:00Z',
    };
    await this.ask('GET /v1/admin/audit', 200, { token, query: { ...audit, limit: 1 } });
    const { nextCursor } = (await this.ask('GET /v1/admin/audit', 200, { token, query: { limit: 1 } })) as { nextCursor: string };
    await this.ask('GET /v1/admin/audit', 200, { token, query: { cursor: nextCursor, limit: 1 } });
    await this.ask('GET /v1/admin/audit/export', 200, {
      token,
      query: { ...audit, action: 'notice.send', outcome: 'begun', target: 'u1' },
    });
    await this.ask('GET /health/live', 200);
    await this.ask('GET /health/ready', 200);
  }

  async #rooms(): Promise<void> {
    const headers = { 'Idempotency-Key': randomUUID() };
    const body = { type: 'public', name: 'Kitchen', topic: 'Lunch', meta: { color: { dark: ['teal', 1, null] } }, members: ['ben', 'eve'] };
    const { id } = (await this.ask(`POST ${ROOMS}`, 201, this.as('ada', { headers, body }))) as { id: string };
    await this.ask(`POST ${ROOMS}`, 200, this.as('ada', { headers, body }));
    const direct = { body: { type: 'direct', members: ['ben'] } };
    await this.ask(`POST ${ROOMS}`, 201, this.as('ada', direct));
    await this.ask(`POST ${ROOMS}`, 200, this.as('ada', direct));
    const inRoom = (asked: Ask = {}): Ask => this.as('ada', { ...asked, path: { room: id, ...asked.path } });
    await this.send('ben', id);
    await this.ask(`POST ${ROOMS}`, 201, this.as('ada', { body: { type: 'public' } }));
    for (const list of [`GET ${ROOMS}`, 'GET /v1/me/rooms', `GET ${ROOM}/members`]) {
      const asked = list.includes('{room}') ? inRoom() : this.as('ada');
      const { nextCursor } = (await this.ask(list, 200, { ...asked, query: { limit: 1 } })) as { nextCursor: string };
      await this.ask(list, 200, { ...asked, query: { cursor: nextCursor, limit: 200 } });
    }
    await this.ask(`GET ${ROOMS}`, 200, this.as('zoe', { query: { q: 'kit' } }));
    await this.ask(`GET ${ROOM}`, 200, inRoom());
    await this.ask(`PATCH ${ROOM}`, 200, inRoom({ body: { name: null, topic: null, meta: {} } }));
    await this.ask(`POST ${ROOM}/join`, 200, this.as('guest', { path: { room: id } }));
    await this.ask(`POST ${ROOM}/leave`, 204, this.as('guest', { path: { room: id } }));
    await this.ask(`PUT ${ROOM}/members/{user}`, 200, inRoom({ path: { user: 'zoe' }, body: { role: 'moderator' } }));
    await this.ask(`DELETE ${ROOM}/members/{user}`, 200, inRoom({ path: { user: 'zoe' }, query: { reason: 'Advertising' } }));
    await this.ask(`PUT ${ROOM}/bans/{user}`, 200, inRoom({ path: { user: 'eve' }, body: { reason: 'Advertising' } }));
    await this.ask(`PUT ${ROOM}/bans/{user}`, 200, inRoom({ path: { user: 'mob' } }));
    const bans = (await this.ask(`GET ${ROOM}/bans`, 200, inRoom({ query: { limit: 1 } }))) as { nextCursor: string };
    await this.ask(`GET ${ROOM}/bans`, 200, inRoom({ query: { cursor: bans.nextCursor } }));
    await this.ask(`DELETE ${ROOM}/bans/{user}`, 204, inRoom({ path: { user: 'mob' } }));
    await this.ask(`PATCH ${ROOM}`, 200, inRoom({ body: { archived: true } }));
    await this.ask(`GET ${ROOM}/events`, 200, inRoom());
    await this.ask(`DELETE ${ROOM}`, 200, inRoom());
  }

  async #messages(): Promise<void> {
    const id = await this.room({ type: 'private', members: ['ben'] });
    const inRoom = (asked: Ask = {}): Ask => this.as('ada', { ...asked, path: { room: id, ...asked.path } });
    await this.ask(`GET ${ROOM}/messages`, 200, inRoom());
    await this.ask(`GET ${ROOM}/events`, 200, inRoom());
    const draft = inRoom({ headers: { 'Idempotency-Key': 'k' }, body: { text: 'hi' } });
    const { seq } = (await this.ask(`POST ${ROOM}/messages`, 201, draft)) as { seq: number };
    await this.ask(`POST ${ROOM}/messages`, 200, draft);
    const other = await this.send('ben', id);
    await this.ask(`GET ${MESSAGE}`, 200, inRoom({ path: { seq } }));
    await this.ask(`PATCH ${MESSAGE}`, 200, inRoom({ path: { seq }, body: { text: 'ho', meta: { a: 1 }, ifVersion: 1 } }));
    await this.ask(`DELETE ${MESSAGE}`, 200, inRoom({ path: { seq: other } }));
    for (const query of [{}, { before: other }, { after: 0 }, { around: seq }, { limit: 1 }] as Ask['query'][])
      await this.ask(`GET ${ROOM}/messages`, 200, inRoom({ query: query! }));
    await this.ask(`GET ${ROOM}/events`, 200, inRoom({ query: { after: 1, limit: 1 } }));
    await this.ask(`PUT ${ROOM}/read`, 200, inRoom({ body: { seq: Number.MAX_SAFE_INTEGER } }));
    await this.ask('GET /v1/me/rooms', 200, this.as('ben'));
  }
}

import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { StatisticsCounter } from '../../src/admin/statistics-counter.js';
import { ChatClient } from './chat-client.js';
import type { Ask, OpenApiRecorder } from './openapi-recorder.js';
import type { TestApp } from './test-app.js';

export const ACCOUNT = { username: 'ada', password: 'correct horse battery staple' };
export const ROOMS = '/v1/rooms';
export const ROOM = '/v1/rooms/{room}';
export const ADMIN = '/v1/admin';
const PERIOD = { from: '2020-01-01T00:00:00.000Z', to: '2099-01-01T00:00:00.000Z' };
const LATER = '2099-01-01T00:00:00.000Z';
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
    await this.#backends();
    await this.#rooms();
    await this.#messages();
    await this.#administration();
    await this.#moderation();
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
    const logins = (await this.ask('GET /v1/me/sessions', 200, { token: login.accessToken })) as {
      items: { id: string; current: boolean }[];
    };
    const other = logins.items.find(({ current }) => !current)!;
    await this.ask('DELETE /v1/me/sessions/{session}', 204, { token: login.accessToken, path: { session: other.id } });
    await this.ask('POST /v1/auth/revoke', 204, { body: { token: login.accessToken } });
    await this.ask('POST /v1/auth/logout', 204, { body: { refreshToken } });
    await this.ask('POST /v1/auth/guest', 201);
    await this.ask('POST /v1/auth/guest', 201, { body: { name: 'Visitor' } });
    const token = this.server.token('root', { roles: ['admin'] });
    for (const kind of ['ban', 'mute']) {
      for (const method of ['PUT', 'DELETE', 'DELETE'])
        await this.ask(`${method} /v1/admin/users/{user}/${kind}`, 204, { token, path: { user: 'u 9/é' } });
      await this.ask(`PUT /v1/admin/users/{user}/${kind}`, 204, { token, path: { user: 'u9' }, body: { reason: 'Spam', until: LATER } });
      await this.ask(`DELETE /v1/admin/users/{user}/${kind}`, 200, { token, path: { user: 'u9' }, query: { dryRun: 'true' } });
    }
    await this.ask('GET /v1/admin/users/{user}', 200, { token, path: { user: 'u9' } });
    const once = { 'Idempotency-Key': 'soon' };
    await this.ask('POST /v1/admin/notices', 202, { token, headers: once, body: { text: 'Back soon', level: 'info' } });
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

  async #backends(): Promise<void> {
    const token = this.server.token('root', { roles: ['admin'] });
    const body = { name: 'Backend', scopes: ['tokens:write', 'keys:read', 'users:act'], expiresInSeconds: 3600 };
    const { id, key } = (await this.ask('POST /v1/admin/api-keys', 201, { token, body })) as { id: string; key: string };
    const once = { 'Idempotency-Key': 'for ever' };
    await this.ask('POST /v1/admin/api-keys', 201, { token, headers: once, body: { name: 'For ever', scopes: ['keys:read'] } });
    const draft = { user: 'u7', name: 'Ada', roles: ['editor'], expiresInSeconds: 60 };
    await this.ask('POST /v1/admin/tokens', 201, { token: key, body: draft });
    await this.ask('POST /v1/admin/tokens', 201, { token, body: { user: 'u7' } });
    await this.ask('GET /v1/me', 200, { token: key });
    await this.ask('DELETE /v1/admin/api-keys/{key}', 200, { token, path: { key: id }, query: { dryRun: 'true' } });
    await this.ask('DELETE /v1/admin/api-keys/{key}', 204, { token, path: { key: id } });
    const { nextCursor } = (await this.ask('GET /v1/admin/api-keys', 200, { token, query: { limit: 1 } })) as { nextCursor: string };
    await this.ask('GET /v1/admin/api-keys', 200, { token, query: { cursor: nextCursor } });
    await this.ask('GET /v1/admin/api-keys', 200, { token, query: { createdBy: 'root' } });
    await this.ask('DELETE /v1/admin/users/{user}/api-keys', 200, { token, path: { user: 'root' }, query: { dryRun: 'true' } });
    await this.ask('DELETE /v1/admin/users/{user}/api-keys', 204, { token, path: { user: 'root' } });
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
    await this.ask(`PUT ${ROOM}/bans/{user}`, 200, inRoom({ path: { user: 'eve' }, body: { reason: 'Advertising', until: LATER } }));
    await this.ask(`PUT ${ROOM}/bans/{user}`, 200, inRoom({ path: { user: 'mob' } }));
    const bans = (await this.ask(`GET ${ROOM}/bans`, 200, inRoom({ query: { limit: 1 } }))) as { nextCursor: string };
    await this.ask(`GET ${ROOM}/bans`, 200, inRoom({ query: { cursor: bans.nextCursor } }));
    await this.ask(`DELETE ${ROOM}/bans/{user}`, 204, inRoom({ path: { user: 'mob' } }));
    await this.ask(`PUT ${ROOM}/mutes/{user}`, 200, inRoom({ path: { user: 'ben' }, body: { reason: 'Advertising', until: LATER } }));
    await this.ask(`PUT ${ROOM}/mutes/{user}`, 200, inRoom({ path: { user: 'mob' } }));
    const mutes = (await this.ask(`GET ${ROOM}/mutes`, 200, inRoom({ query: { limit: 1 } }))) as { nextCursor: string };
    await this.ask(`GET ${ROOM}/mutes`, 200, inRoom({ query: { cursor: mutes.nextCursor } }));
    await this.ask(`DELETE ${ROOM}/mutes/{user}`, 204, inRoom({ path: { user: 'ben' } }));
    await this.ask(`PATCH ${ROOM}`, 200, inRoom({ body: { archived: true } }));
    await this.ask(`GET ${ROOM}/events`, 200, inRoom());
    await this.ask(`DELETE ${ROOM}`, 200, inRoom());
  }

  async #administration(): Promise<void> {
    const root = (asked: Ask = {}): Ask => ({ token: this.server.token('root', { roles: ['admin'] }), ...asked });
    const room = await this.room({ type: 'public', name: 'Hall', topic: 'All', meta: { a: 1 }, members: ['ben', 'eve'] });
    await this.#administerUsers(root);
    await this.#administerConnections(root, room);
    for (const body of [{}, { user: 'u1' }, { room }, { user: 'u1', room }])
      await this.ask(`POST ${ADMIN}/notices`, 202, root({ body: { text: 'Back soon', level: 'critical', ...body } }));
    await this.ask(`GET ${ADMIN}/settings`, 200, root());
    for (const [user, action] of [
      ['ada', 'room.update'],
      ['ada', 'room.delete'],
      ['stranger', 'room.read'],
      ['stranger', 'message.send'],
    ] as const)
      await this.ask(`GET ${ADMIN}/access`, 200, root({ query: { user, room, action } }));
    const setting = { user: 'ada', room, action: 'member.set', target: 'ben', role: 'owner' };
    await this.ask(`GET ${ADMIN}/access`, 200, root({ query: setting }));
    await this.server.app.get(StatisticsCounter, { strict: false }).count();
    await this.ask(`GET ${ADMIN}/statistics`, 200, root());
    await this.#readHistory(root);
    await this.#administerRooms(root, room);
  }

  async #readHistory(root: (asked?: Ask) => Ask): Promise<void> {
    await this.server.app
      .get(DataSource)
      .query(`INSERT INTO statistics_hourly (hour) VALUES ('2026-01-01T00:00:00Z') ON CONFLICT DO NOTHING`);
    const between = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', limit: 1 };
    for (const by of ['hour', 'day']) {
      const route = `GET ${ADMIN}/statistics/history`;
      const { nextCursor: cursor } = (await this.ask(route, 200, root({ query: { by, ...between } }))) as { nextCursor: string };
      await this.ask(route, 200, root({ query: { by, ...between, cursor } }));
    }
  }

  async #administerUsers(root: (asked?: Ask) => Ask): Promise<void> {
    const account = { username: 'turing', password: ACCOUNT.password };
    const { user } = (await this.ask('POST /v1/auth/register', 201, { body: account })) as { user: { id: string } };
    await this.ask('POST /v1/auth/login', 200, { body: account });
    const his = (asked: Ask = {}): Ask => root({ ...asked, path: { user: user.id, ...asked.path } });
    await this.ask(`PUT ${ADMIN}/users/{user}/roles`, 200, his({ body: { roles: ['editor'] } }));
    await this.ask(`PUT ${ADMIN}/users/{user}/disabled`, 200, his({ body: { disabled: true, reason: 'Left' } }));
    const users = (await this.ask(`GET ${ADMIN}/users`, 200, root({ query: { limit: 1 } }))) as { nextCursor: string };
    await this.ask(`GET ${ADMIN}/users`, 200, root({ query: { cursor: users.nextCursor } }));
    await this.ask(`GET ${ADMIN}/users`, 200, root({ query: { q: 'Turi', role: 'editor', disabled: 'true' } }));
    await this.ask(`GET ${ADMIN}/users/{user}`, 200, his());
    await this.ask(`PUT ${ADMIN}/users/{user}/disabled`, 200, his({ body: { disabled: false } }));
    const list = (await this.ask(`GET ${ADMIN}/users/{user}/sessions`, 200, his({ query: { limit: 1 } }))) as {
      items: { id: string }[];
      nextCursor: string;
    };
    const login = { session: list.items[0]!.id };
    for (const [status, query] of [
      [200, { dryRun: 'true' }],
      [204, { dryRun: 'false' }],
    ] as const) {
      await this.ask(`DELETE ${ADMIN}/users/{user}/sessions/{session}`, status, his({ path: login, query }));
      await this.ask(`DELETE ${ADMIN}/users/{user}/sessions`, status, his({ query }));
    }
    await this.ask(`GET ${ADMIN}/users/{user}/sessions`, 200, his({ query: { cursor: list.nextCursor } }));
    await this.ask(`GET ${ADMIN}/users/{user}`, 200, his({ path: { user: 'root' } }));
  }

  async #administerConnections(root: (asked?: Ask) => Ask, room: string): Promise<void> {
    const nameless = await ChatClient.connect(this.server.wsUrl, { token: this.server.token('ben') });
    const client = await ChatClient.connect(this.server.wsUrl, { token: this.server.token('ben'), headers: { 'user-agent': 'Tester/1' } });
    await client.command('room.subscribe', { room });
    const page = (await this.ask(`GET ${ADMIN}/connections`, 200, root({ query: { limit: 1 } }))) as {
      items: { instance: string }[];
      nextCursor: string;
    };
    await this.ask(`GET ${ADMIN}/connections`, 200, root({ query: { cursor: page.nextCursor } }));
    const { instance } = page.items[0]!;
    await this.ask(`GET ${ADMIN}/connections`, 200, root({ query: { user: 'ben', room, instance, olderThanSeconds: 0 } }));
    const { connectionId: connection } = client.frames[0]!.data as { connectionId: string };
    await this.ask(`DELETE ${ADMIN}/connections/{connection}`, 200, root({ path: { connection }, query: { dryRun: 'true' } }));
    await this.ask(`DELETE ${ADMIN}/connections/{connection}`, 200, root({ path: { connection } }));
    await client.closed;
    await this.ask(`DELETE ${ADMIN}/connections`, 200, root({ query: { user: 'ben', dryRun: 'true' } }));
    await this.ask(`DELETE ${ADMIN}/connections`, 200, root({ query: { user: 'ben' } }));
    await nameless.closed;
  }

  async #administerRooms(root: (asked?: Ask) => Ask, room: string): Promise<void> {
    const ofIt = (asked: Ask = {}): Ask => root({ ...asked, path: { room, ...asked.path } });
    const rooms = (await this.ask(`GET ${ADMIN}/rooms`, 200, root({ query: { limit: 1 } }))) as { nextCursor: string };
    await this.ask(`GET ${ADMIN}/rooms`, 200, root({ query: { cursor: rooms.nextCursor } }));
    await this.ask(`GET ${ADMIN}/rooms`, 200, root({ query: { q: 'ha', type: 'public', archived: 'false', member: 'ada' } }));
    await this.ask(`GET ${ADMIN}/rooms/{room}`, 200, ofIt());
    await this.ask(`PUT ${ADMIN}/rooms/{room}/members/{user}`, 200, ofIt({ path: { user: 'zoe' }, body: { role: 'owner' } }));
    const members = (await this.ask(`GET ${ADMIN}/rooms/{room}/members`, 200, ofIt({ query: { limit: 1 } }))) as { nextCursor: string };
    await this.ask(`GET ${ADMIN}/rooms/{room}/members`, 200, ofIt({ query: { cursor: members.nextCursor } }));
    await this.ask(`DELETE ${ADMIN}/rooms/{room}/members/{user}`, 200, ofIt({ path: { user: 'ada' }, query: { reason: 'Gone' } }));
    await this.ask(`DELETE ${ADMIN}/rooms/{room}/members/{user}`, 204, ofIt({ path: { user: 'ada' } }));
    await this.ask(`DELETE ${ADMIN}/rooms/{room}/members/{user}`, 200, ofIt({ path: { user: 'ben' }, query: { dryRun: 'true' } }));
    for (const kind of ['bans', 'mutes']) {
      const path = { user: 'eve' };
      await this.ask(`PUT ${ADMIN}/rooms/{room}/${kind}/{user}`, 200, ofIt({ path, body: { reason: 'Advertising', until: LATER } }));
      await this.ask(`PUT ${ADMIN}/rooms/{room}/${kind}/{user}`, 200, ofIt({ path }));
      await this.ask(`DELETE ${ADMIN}/rooms/{room}/${kind}/{user}`, 200, ofIt({ path, query: { dryRun: 'true' } }));
      await this.ask(`DELETE ${ADMIN}/rooms/{room}/${kind}/{user}`, 204, ofIt({ path }));
    }
    await this.ask(`PATCH ${ADMIN}/rooms/{room}`, 200, ofIt({ body: { name: null, topic: null, archived: true } }));
    await this.ask(`DELETE ${ADMIN}/rooms/{room}`, 200, ofIt({ query: { dryRun: 'true' } }));
    await this.ask(`DELETE ${ADMIN}/rooms/{room}`, 200, ofIt());
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

  async #moderation(): Promise<void> {
    const token = this.server.token('root', { roles: ['admin'] });
    const id = await this.room({ type: 'public', members: ['ben'] });
    const seq = await this.send('ben', id);
    const message = { room: id, seq };
    for (const status of [201, 200])
      await this.ask(`POST ${MESSAGE}/reports`, status, this.as('ada', { path: message, body: { reason: 'spam', note: 'again' } }));
    for (const status of [201, 200])
      await this.ask('POST /v1/users/{user}/reports', status, this.as('ada', { path: { user: 'ben' }, body: { reason: 'abuse' } }));
    const second = { room: id, seq: await this.send('ben', id) };
    const other = (await this.ask(`POST ${MESSAGE}/reports`, 201, this.as('ada', { path: second, body: { reason: 'other' } }))) as {
      id: string;
    };
    const { items } = (await this.ask(`GET ${ROOM}/reports`, 200, this.as('ada', { path: { room: id }, query: { status: 'open' } }))) as {
      items: { id: string }[];
    };
    const report = items[0]!.id;
    const decided = { decision: 'dismiss', reason: 'Harmless' };
    await this.ask(`POST ${ROOM}/reports/{report}/resolve`, 200, this.as('ada', { path: { room: id, report }, body: decided }));
    const muted = { decision: 'mute', reason: 'Spam', until: LATER };
    await this.ask(`POST ${ROOM}/reports/{report}/resolve`, 200, this.as('ada', { path: { room: id, report: other.id }, body: muted }));
    await this.ask('POST /v1/admin/reports/{report}/resolve', 200, { token, path: { report }, body: decided });

    const reason = { reason: 'Advertising' };
    await this.ask('POST /v1/admin/messages/{room}/{seq}/remove', 200, { token, path: message, body: { ...reason, dryRun: true } });
    await this.ask('POST /v1/admin/messages/{room}/{seq}/remove', 200, { token, path: message, body: reason });
    await this.ask('GET /v1/admin/messages/{room}/{seq}', 200, { token, path: message });
    await this.ask('POST /v1/admin/messages/{room}/{seq}/restore', 200, { token, path: message, body: reason });
    await this.ask('POST /v1/admin/messages/remove', 200, {
      token,
      body: { ...reason, sender: 'ben', room: id, ...PERIOD, dryRun: false },
    });
    await this.#pages('GET /v1/admin/messages', { token }, { room: id, sender: 'ben', text: 'h', ...PERIOD, includeDeleted: 'true' });
    await this.#pages('GET /v1/admin/reports', { token }, { room: id, user: 'ben', status: 'resolved' });
    for (const decidedIn of ['room', 'server']) await this.ask('GET /v1/admin/reports', 200, { token, query: { room: id, decidedIn } });
    await this.#pages(`GET ${ROOM}/reports`, this.as('ada', { path: { room: id } }), { status: 'resolved' });
    for (const kind of ['bans', 'mutes']) {
      for (const user of ['ben', 'eve']) await this.ask(`PUT ${ROOM}/${kind}/{user}`, 200, this.as('ada', { path: { room: id, user } }));
      await this.#pages(`GET /v1/admin/${kind}`, { token }, { room: id, active: 'true' });
      await this.ask(`GET /v1/admin/${kind}`, 200, { token, query: { user: 'u9' } });
    }
  }

  /** Two pages of a list. */
  async #pages(list: string, asked: Ask, query: Ask['query']): Promise<void> {
    const { nextCursor } = (await this.ask(list, 200, { ...asked, query: { ...query, limit: 1 } })) as { nextCursor: string };
    await this.ask(list, 200, { ...asked, query: { ...query, cursor: nextCursor } });
  }
}

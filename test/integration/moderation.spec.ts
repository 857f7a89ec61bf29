import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { ChatServer } from '../support/chat-server.js';

let server: ChatServer;
beforeAll(async () => {
  server = await ChatServer.start();
});
afterAll(() => server.close());

const name = () => `u-${randomUUID().slice(0, 8)}`;

/** @returns the body; fails on another status */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
async function ask(user: string, method: string, path: string, status: number, body?: object): Promise<any> {
  const token = user === 'root' ? server.test.token('root', { roles: ['admin'] }) : server.test.token(user);
  const answer = await server.http(null, method, `/v1${path}`, body, { authorization: `Bearer ${token}` });
  expect([method, path, answer.status, answer.body]).toEqual([method, path, status, answer.body]);
  return answer.body as unknown;
}

async function send(user: string, room: string, text: string): Promise<number> {
  const { status, body } = await server.http(user, 'POST', `/v1/rooms/${room}/messages`, { text }, { 'idempotency-key': randomUUID() });
  expect(status).toBe(201);
  return (body as { seq: number }).seq;
}

describe('a message that a moderator removes', () => {
  it('is deleted for everybody, kept for moderators, and comes back by a restoration', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'private', [bob]);
    const client = await server.connect(ann);
    await client.command('room.subscribe', { room });
    const seq = await send(bob, room, 'buy now');
    const path = `/admin/messages/${room}/${seq}`;

    const dry = await ask('root', 'POST', `${path}/remove`, 200, { reason: 'Spam', dryRun: true });
    expect(dry).toMatchObject({ message: { text: '', deletedAt: expect.any(String) as unknown }, removals: [] });
    expect(await ask(ann, 'GET', `/rooms/${room}/messages/${seq}`, 200)).toMatchObject({ text: 'buy now', deletedAt: null });

    for (let attempt = 1; attempt <= 2; attempt++) {
      expect(await ask('root', 'POST', `${path}/remove`, 200, { reason: 'Spam' })).toMatchObject({
        message: { seq, lastSeq: seq + 1, text: '' },
        removals: [{ text: 'buy now', removed: { by: 'root', reason: 'Spam' }, restored: null }],
      });
    }
    await client.seen(({ event }) => event === 'message.deleted');
    expect(await ask(ann, 'GET', `/rooms/${room}/messages/${seq}`, 200)).toMatchObject({ text: '', lastSeq: seq + 1 });

    const would = await ask('root', 'POST', `${path}/restore`, 200, { reason: 'A mistake', dryRun: true });
    expect(would).toMatchObject({ message: { text: 'buy now', deletedAt: null, version: 2 }, removals: [{ restored: null }] });
    for (let attempt = 1; attempt <= 2; attempt++) {
      expect(await ask('root', 'POST', `${path}/restore`, 200, { reason: 'A mistake' })).toMatchObject({
        message: { text: 'buy now', deletedAt: null, version: 2, lastSeq: seq + 2 },
        removals: [{ removed: { reason: 'Spam' }, restored: { by: 'root', reason: 'A mistake' } }],
      });
    }
    const back = await client.seen(({ event }) => event === 'message.updated');
    expect(back).toMatchObject({ seq: seq + 2, data: { seq, lastSeq: seq + 2, text: 'buy now', deletedAt: null, version: 2 } });
    expect(client.events(room).map((event) => event.seq)).toEqual([seq, seq + 1, seq + 2]);

    await ask('root', 'POST', `${path}/remove`, 200, { reason: 'Spam after all' });
    const { removals } = await ask('root', 'GET', path, 200);
    expect(removals).toMatchObject([{ removed: { reason: 'Spam after all' }, restored: null }, { restored: { reason: 'A mistake' } }]);
    const { events, headSeq } = await ask(ann, 'GET', `/rooms/${room}/events`, 200);
    expect((events as { seq: number }[]).map((event) => event.seq)).toEqual(Array.from({ length: headSeq as number }, (_, i) => i + 1));
    await client.close();
  });

  it('was not removed when its sender deleted it: nothing is kept, and nothing comes back', async () => {
    const bob = name();
    const room = await server.room(bob, 'public');
    const seq = await send(bob, room, 'oops');
    await ask(bob, 'DELETE', `/rooms/${room}/messages/${seq}`, 200);
    expect(await ask('root', 'POST', `/admin/messages/${room}/${seq}/remove`, 200, { reason: 'Spam' })).toMatchObject({ removals: [] });
    const { current } = await ask('root', 'POST', `/admin/messages/${room}/${seq}/restore`, 409, { reason: 'No' });
    expect(current).toMatchObject({ seq, text: '' });
  });

  it('may have been deleted by a moderator of the room: it is seen and brought back like one of an administrator', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'public', [bob]);
    const seq = await send(bob, room, 'evidence');
    for (let attempt = 1; attempt <= 2; attempt++) await ask(ann, 'DELETE', `/rooms/${room}/messages/${seq}`, 200);
    const path = `/admin/messages/${room}/${seq}`;
    const reason = 'Deleted by a moderator of the room.';
    expect(await ask('root', 'GET', path, 200)).toMatchObject({
      message: { text: '' },
      removals: [{ text: 'evidence', removed: { by: ann, reason }, restored: null }],
    });
    const found = await ask('root', 'GET', `/admin/messages?room=${room}&includeDeleted=true&text=evid`, 200);
    expect(found.items).toHaveLength(1);
    await ask('root', 'POST', `${path}/restore`, 200, { reason: 'Harmless' });
    expect(await ask(bob, 'GET', `/rooms/${room}/messages/${seq}`, 200)).toMatchObject({ text: 'evidence', version: 2 });
  });

  it('may be in an archived room, and must be there', async () => {
    const bob = name();
    const room = await server.room(bob, 'public');
    const seq = await send(bob, room, 'buy');
    await ask(bob, 'PATCH', `/rooms/${room}`, 200, { archived: true });
    await ask('root', 'POST', `/admin/messages/${room}/${seq}/remove`, 200, { reason: 'Spam' });
    for (const verb of ['remove', 'restore']) {
      await ask('root', 'POST', `/admin/messages/${room}/999/${verb}`, 404, { reason: 'x' });
      await ask('root', 'POST', `/admin/messages/${randomUUID()}/1/${verb}`, 404, { reason: 'x' });
      await ask(bob, 'POST', `/admin/messages/${room}/${seq}/${verb}`, 403, { reason: 'x' });
    }
  });

  it('may be one of many of a sender: in a room or in all, of a time, counted first', async () => {
    const [ann, bob] = [name(), name()];
    const rooms = [await server.room(ann, 'public', [bob]), await server.room(ann, 'private', [bob])];
    for (const room of rooms) for (let i = 0; i < 130; i++) await server.test.app.get(DataSource).query(SEED, [room, bob, i]);
    for (const room of rooms) await server.test.app.get(DataSource).query('UPDATE rooms SET last_seq = 130 WHERE id = $1', [room]);
    await send(ann, rooms[0]!, 'mine');
    const remove = (body: object) => ask('root', 'POST', '/admin/messages/remove', 200, { sender: bob, reason: 'Spam', ...body });
    expect(await remove({ dryRun: true })).toEqual({ messages: 260, rooms: 2, complete: true });
    expect(await remove({ to: '2026-01-01T00:00:00Z' })).toEqual({ messages: 0, rooms: 0, complete: true });
    expect(await remove({ room: rooms[0] })).toEqual({ messages: 130, rooms: 1, complete: true });
    expect(await remove({ dryRun: true })).toEqual({ messages: 130, rooms: 1, complete: true });
    expect(await remove({ room: rooms[0] })).toEqual({ messages: 0, rooms: 0, complete: true });
    expect(await remove({})).toEqual({ messages: 130, rooms: 1, complete: true });
    const many = `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
      SELECT $1, i, i, $2, 'm' || i, 'spam', '{}', now() FROM generate_series(1000, 2000) i`;
    await server.test.app.get(DataSource).query(many, [rooms[1], bob]);
    expect(await remove({ dryRun: true })).toEqual({ messages: 1_001, rooms: 1, complete: false });
    const { messages } = await ask(ann, 'GET', `/rooms/${rooms[0]}/messages?limit=200`, 200);
    expect((messages as { text: string }[]).filter(({ text }) => text !== '').map(({ text }) => text)).toEqual(['mine']);
    expect(await ask('root', 'GET', `/admin/messages/${rooms[1]}/7`, 200)).toMatchObject({ removals: [{ text: 'spam 6' }] });
  });
});

const SEED = `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
  VALUES ($1, $3::integer + 1, $3::integer + 1, $2, 'c' || $3::integer, 'spam ' || $3::integer, '{}', '2026-06-01')`;

describe('finding messages', () => {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  const find = async (query: string): Promise<any[]> => (await ask('root', 'GET', `/admin/messages?${query}`, 200)).items as any[];
  const texts = async (query: string) => (await find(query)).map(({ message }: { message: { text: string } }) => message.text);

  it('by room, sender, text and time, deleted ones when asked for, by pages', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'private', [bob]);
    const other = await server.room(ann, 'public', [bob]);
    for (const text of ['one 100%', 'two', 'Three']) await send(bob, room, text);
    const fourth = await send(ann, room, 'four');
    await send(bob, other, 'elsewhere');
    expect(await texts(`room=${room}`)).toEqual(['four', 'Three', 'two', 'one 100%']);
    expect((await texts(`sender=${bob}`)).sort()).toEqual(['Three', 'elsewhere', 'one 100%', 'two']);
    expect(await texts(`sender=${bob}&room=${other}`)).toEqual(['elsewhere']);
    expect(await texts(`room=${room}&text=thr`)).toEqual(['Three']);
    expect(await texts(`room=${room}&text=${encodeURIComponent('0%')}`)).toEqual(['one 100%']);
    for (const text of ['%', '_']) expect(await texts(`room=${room}&text=${encodeURIComponent(`w${text}`)}`)).toEqual([]);
    expect(await texts(`room=${room}&from=2999-01-01T00:00:00Z`)).toEqual([]);
    expect(await texts(`room=${room}&to=2999-01-01T00:00:00Z&from=2020-01-01T00:00:00Z`)).toHaveLength(4);
    await ask('root', 'POST', `/admin/messages/${room}/${fourth}/remove`, 200, { reason: 'Spam' });
    expect(await texts(`room=${room}&text=four`)).toEqual([]);
    expect(await find(`room=${room}&text=four&includeDeleted=true`)).toMatchObject([{ room, message: { seq: fourth, text: '' } }]);

    for (const query of [`room=${room}&includeDeleted=true`, `sender=${bob}`]) {
      const paged: object[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const page = await ask('root', 'GET', `/admin/messages?${query}&limit=1${cursor && `&cursor=${cursor}`}`, 200);
        paged.push(...(page.items as object[]));
        cursor = page.nextCursor as string | null;
      }
      expect(paged).toEqual(await find(query));
    }
    await ask(ann, 'GET', '/admin/messages', 403);
  });

  it('looks at so many a page, and goes on where it stopped', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'private', [bob]);
    await server.test.app.get(DataSource).query(
      `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
        SELECT $1, i, i, $2, 'c' || i, CASE i WHEN 5 THEN 'needle' ELSE 'hay' END, '{}', now() FROM generate_series(1, 10500) i`,
      [room, bob],
    );
    for (const query of [`room=${room}&text=needle`, `sender=${bob}&text=needle`]) {
      const first = await ask('root', 'GET', `/admin/messages?${query}`, 200);
      expect(first).toEqual({ items: [], nextCursor: expect.any(String) as unknown });
      const second = await ask('root', 'GET', `/admin/messages?${query}&cursor=${first.nextCursor}`, 200);
      expect(second).toMatchObject({ items: [{ message: { seq: 5, text: 'needle' } }], nextCursor: null });
    }
  });
});

describe('reports', () => {
  it('of a message: by who may read it, once while open, with what it said', async () => {
    const [ann, bob, eve] = [name(), name(), name()];
    const room = await server.room(ann, 'private', [bob]);
    const seq = await send(bob, room, 'buy now');
    const path = `/rooms/${room}/messages/${seq}/reports`;
    const report = await ask(ann, 'POST', path, 201, { reason: 'spam', note: 'again' });
    expect(report).toMatchObject({ reporter: ann, user: bob, room, seq, reason: 'spam', note: 'again', text: 'buy now', status: 'open' });
    expect(await ask(ann, 'POST', path, 200, { reason: 'other' })).toEqual(report);
    await ask(eve, 'POST', path, 404, { reason: 'spam' });
    await ask(ann, 'POST', `/rooms/${room}/messages/999/reports`, 404, { reason: 'spam' });
    await ask(ann, 'POST', path, 400, { reason: 'dislike' });
    expect((await ask('root', 'GET', `/admin/reports?status=open&room=${room}`, 200)).items).toEqual([report]);
    expect((await ask(ann, 'GET', `/rooms/${room}/reports`, 200)).items).toEqual([{ ...report, reporter: null }]);
    await ask(bob, 'GET', `/rooms/${room}/reports`, 403);
    await ask(eve, 'GET', `/rooms/${room}/reports`, 404);
  });

  it('of a user, who must be known', async () => {
    const [ann, bob] = [name(), name()];
    await ask(ann, 'POST', `/users/${bob}/reports`, 404, { reason: 'abuse' });
    await ask(bob, 'GET', '/me', 200);
    const report = await ask(ann, 'POST', `/users/${bob}/reports`, 201, { reason: 'abuse' });
    expect(report).toMatchObject({ user: bob, room: null, seq: null, text: null });
    expect(await ask(ann, 'POST', `/users/${bob}/reports`, 200, { reason: 'abuse' })).toEqual(report);
    await ask('root', 'POST', `/admin/reports/${report.id}/resolve`, 409, { decision: 'remove', reason: 'x' });
    const resolved = await ask('root', 'POST', `/admin/reports/${report.id}/resolve`, 200, {
      decision: 'ban',
      reason: 'Abuse',
      until: '2099-01-01T00:00:00Z',
    });
    expect(resolved).toMatchObject({ status: 'resolved', resolution: { decision: 'ban', by: 'root', until: '2099-01-01T00:00:00.000Z' } });
    await ask(bob, 'GET', '/me', 403);
    expect((await ask('root', 'GET', `/admin/bans?user=${bob}`, 200)).items).toMatchObject([{ reason: 'Abuse', by: 'root' }]);
    await ask(ann, 'POST', `/users/${bob}/reports`, 201, { reason: 'abuse' });
  });

  it('decided by an administrator: the act and the closing of all of the same thing are one, and once', async () => {
    const [ann, bob, cat] = [name(), name(), name()];
    const room = await server.room(ann, 'private', [bob, cat]);
    const seq = await send(bob, room, 'buy now');
    const one = await ask(ann, 'POST', `/rooms/${room}/messages/${seq}/reports`, 201, { reason: 'spam' });
    const two = await ask(cat, 'POST', `/rooms/${room}/messages/${seq}/reports`, 201, { reason: 'abuse' });
    const resolve = (id: string, status: number, decision: string) =>
      ask('root', 'POST', `/admin/reports/${id}/resolve`, status, { decision, reason: 'Spam' });
    const first = await resolve(one.id as string, 200, 'remove');
    expect(await resolve(one.id as string, 200, 'remove')).toEqual(first);
    await resolve(two.id as string, 409, 'dismiss');
    expect(await ask(ann, 'GET', `/rooms/${room}/messages/${seq}`, 200)).toMatchObject({ text: '', lastSeq: seq + 1 });
    expect((await ask('root', 'GET', `/admin/reports?room=${room}&status=open`, 200)).items).toEqual([]);
    expect((await ask('root', 'GET', `/admin/reports?user=${bob}&status=resolved`, 200)).items).toHaveLength(2);
    await resolve(randomUUID(), 404, 'dismiss');
  });

  it('decided by a backend: only by what its key may do by itself', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'private', [bob]);
    const seq = await send(bob, room, 'buy now');
    const { id } = await ask(ann, 'POST', `/rooms/${room}/messages/${seq}/reports`, 201, { reason: 'spam' });
    const decide = async (scopes: string[], decision: string) => {
      const { key } = await ask('root', 'POST', '/admin/api-keys', 201, { name: 'Shop', scopes });
      const authorization = `Bearer ${key as string}`;
      const answer = await server.http(null, 'POST', `/v1/admin/reports/${id}/resolve`, { decision, reason: 'Spam' }, { authorization });
      return [answer.status, answer.body.message ?? answer.body.resolution.decision];
    };
    for (const [decision, scope, other] of [
      ['ban', 'users:write', 'messages:write'],
      ['mute', 'users:write', 'messages:write'],
      ['remove', 'messages:write', 'users:write'],
    ] as const)
      expect(await decide(['reports:write', other], decision)).toEqual([403, `To decide this takes the scope ${scope} too.`]);
    expect((await ask('root', 'GET', `/admin/reports?status=open&room=${room}`, 200)).items).toHaveLength(1);
    await ask(bob, 'GET', '/me', 200);
    expect(await decide(['reports:write', 'messages:write'], 'remove')).toEqual([200, 'remove']);
  });

  it('end with the mute or the ban that was decided; what does not end takes no end', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'public', [bob]);
    const path = `/rooms/${room}/messages/${await send(bob, room, 'hm')}/reports`;
    const { id } = await ask(ann, 'POST', path, 201, { reason: 'abuse' });
    const until = '2099-01-01T00:00:00.000Z';
    for (const decision of ['dismiss', 'remove']) {
      for (const [by, route] of [
        ['root', `/admin/reports/${id}/resolve`],
        [ann, `/rooms/${room}/reports/${id}/resolve`],
      ] as const) {
        const { message } = await ask(by, 'POST', route, 409, { decision, reason: 'x', until });
        expect(message).toBe('Only a mute or a ban ends by itself: `until` goes with no other decision.');
      }
    }
    const decided = await ask('root', 'POST', `/admin/reports/${id}/resolve`, 200, { decision: 'mute', reason: 'x', until });
    expect(decided.resolution.until).toBe(until);
  });

  it('of a message whose room is gone are decided all the same', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'public', [bob]);
    const seq = await send(bob, room, 'gone with its room');
    const { id } = await ask(ann, 'POST', `/rooms/${room}/messages/${seq}/reports`, 201, { reason: 'abuse' });
    await ask(ann, 'DELETE', `/rooms/${room}`, 200);
    const search = async (more: string) => (await ask('root', 'GET', `/admin/messages?sender=${bob}${more}`, 200)).items as object[];
    expect([await search(''), await search(`&room=${room}`)]).toEqual([[], []]);
    expect(await search('&includeDeleted=true')).toMatchObject([{ room, message: { seq, text: 'gone with its room' } }]);
    expect(await ask('root', 'GET', `/admin/messages/${room}/${seq}`, 200)).toMatchObject({ message: { text: 'gone with its room' } });
    await ask('root', 'POST', `/admin/messages/${room}/${seq}/remove`, 404, { reason: 'x' });
    const decided = await ask('root', 'POST', `/admin/reports/${id}/resolve`, 200, { decision: 'remove', reason: 'Spam' });
    expect(decided).toMatchObject({ status: 'resolved', resolution: { decision: 'remove' } });
  });

  it('decided by several at once, each otherwise: one decision holds, and only its act is done', async () => {
    const [ann, bob, cat] = [name(), name(), name()];
    const room = await server.room(ann, 'private', [bob, cat]);
    const seq = await send(bob, room, 'buy now');
    const ids = await Promise.all(
      [ann, cat].map(
        async (user) => (await ask(user, 'POST', `/rooms/${room}/messages/${seq}/reports`, 201, { reason: 'spam' })).id as string,
      ),
    );
    const authorization = `Bearer ${server.test.token('root', { roles: ['admin'] })}`;
    const answers = await Promise.all(
      ['mute', 'remove', 'dismiss', 'mute', 'remove', 'dismiss'].map(async (decision, i) => {
        const path = `/v1/admin/reports/${ids[i % 2]}/resolve`;
        return { decision, ...(await server.http(null, 'POST', path, { decision, reason: 'Spam' }, { authorization })) };
      }),
    );
    const done = new Set(answers.filter(({ status }) => status === 200).map(({ decision }) => decision));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 409, 409, 409, 409]);
    expect(done.size).toBe(1);
    const isMuted = (await ask('root', 'GET', `/admin/mutes?user=${bob}`, 200)).items.length === 1;
    const isRemoved = (await ask('root', 'GET', `/admin/messages/${room}/${seq}`, 200)).removals.length === 1;
    expect({ isMuted, isRemoved }).toEqual({ isMuted: done.has('mute'), isRemoved: done.has('remove') });
  });

  it('decided by a moderator of the room, within his rights', async () => {
    const [ann, mo, bob] = [name(), name(), name()];
    const room = await server.room(ann, 'public', [bob]);
    await ask(ann, 'PUT', `/rooms/${room}/members/${mo}`, 200, { role: 'moderator' });
    const report = async (of: string) =>
      (await ask(bob, 'POST', `/rooms/${room}/messages/${await send(of, room, 'hm')}/reports`, 201, { reason: 'abuse' })).id as string;
    const resolve = (by: string, id: string, status: number, decision: string) =>
      ask(by, 'POST', `/rooms/${room}/reports/${id}/resolve`, status, { decision, reason: 'Abuse' });
    const own = await report(bob);
    await resolve(bob, own, 403, 'dismiss');
    expect((await ask(mo, 'GET', `/rooms/${room}/reports?status=open`, 200)).items).toHaveLength(1);
    expect(await resolve(mo, own, 200, 'dismiss')).toMatchObject({
      reporter: null,
      resolution: { decision: 'dismiss', decidedIn: 'room', by: mo },
    });
    await resolve(mo, own, 409, 'remove');
    await resolve(mo, await report(bob), 200, 'mute');
    expect((await ask(mo, 'GET', `/rooms/${room}/mutes`, 200)).items).toMatchObject([{ user: bob, by: mo, reason: 'Abuse' }]);
    await ask(mo, 'DELETE', `/rooms/${room}/mutes/${bob}`, 204);
    await resolve(mo, await report(bob), 200, 'ban');
    expect((await ask(mo, 'GET', `/rooms/${room}/bans`, 200)).items).toMatchObject([{ user: bob, by: mo, reason: 'Abuse' }]);
    const elsewhere = await server.room(mo, 'public');
    await ask(mo, 'POST', `/rooms/${elsewhere}/reports/${own}/resolve`, 404, { decision: 'dismiss', reason: 'x' });
  });

  it('are decided by nobody about himself, by no moderator about an owner or his like, and shown to nobody about himself', async () => {
    const [ann, mo, equal, bob] = [name(), name(), name(), name()];
    const room = await server.room(ann, 'public', [bob]);
    for (const user of [mo, equal]) await ask(ann, 'PUT', `/rooms/${room}/members/${user}`, 200, { role: 'moderator' });
    const about: Record<string, string> = {};
    for (const user of [ann, mo, equal]) {
      const path = `/rooms/${room}/messages/${await send(user, room, 'abuse')}/reports`;
      about[user] = (await ask(bob, 'POST', path, 201, { reason: 'abuse', note: 'It was me, Bob' })).id as string;
    }
    const dismiss = async (by: string, whose: string, status: number) =>
      (await ask(by, 'POST', `/rooms/${room}/reports/${about[whose]}/resolve`, status, { decision: 'dismiss', reason: 'x' }))
        .message as string;
    for (const user of [ann, mo]) expect(await dismiss(user, user, 403)).toBe('You cannot decide a report about yourself.');
    for (const user of [ann, equal]) expect(await dismiss(mo, user, 403)).toMatch(/^Moderators act on members only/);
    const shown = async (by: string) =>
      ((await ask(by, 'GET', `/rooms/${room}/reports`, 200)).items as { user: string }[]).map(({ user }) => user);
    expect([await shown(ann), await shown(mo)]).toEqual([
      [mo, equal],
      [ann, equal],
    ]);
    await dismiss(ann, mo, 200);

    const other = await server.room('root', 'public', [bob]);
    const seq = await send('root', other, 'abuse');
    const { id } = await ask(bob, 'POST', `/rooms/${other}/messages/${seq}/reports`, 201, { reason: 'abuse' });
    expect((await ask('root', 'GET', `/admin/reports?room=${other}`, 200)).items).toEqual([]);
    const own = await ask('root', 'POST', `/admin/reports/${id}/resolve`, 403, { decision: 'dismiss', reason: 'x' });
    expect(own.message).toBe('You cannot decide a report about yourself.');
  });

  it('that a room has decided are seen by administrators, and decided anew, once', async () => {
    const [ann, own, bob] = [name(), name(), name()];
    const room = await server.room(ann, 'public', [bob]);
    await ask(ann, 'PUT', `/rooms/${room}/members/${own}`, 200, { role: 'owner' });
    const seq = await send(ann, room, 'abuse');
    const { id } = await ask(bob, 'POST', `/rooms/${room}/messages/${seq}/reports`, 201, { reason: 'abuse' });
    await ask(own, 'POST', `/rooms/${room}/reports/${id}/resolve`, 200, { decision: 'dismiss', reason: 'My friend' });
    const list = async (decidedIn: string) =>
      (await ask('root', 'GET', `/admin/reports?room=${room}&decidedIn=${decidedIn}`, 200)).items as object[];
    expect(await list('room')).toMatchObject([{ id, resolution: { decision: 'dismiss', by: own, decidedIn: 'room' }, overruled: null }]);
    expect(await list('server')).toEqual([]);
    const mute = { decision: 'mute', reason: 'Abuse' };
    const decided = await ask('root', 'POST', `/admin/reports/${id}/resolve`, 200, mute);
    expect(decided).toMatchObject({
      resolution: { decision: 'mute', by: 'root', decidedIn: 'server' },
      overruled: { decision: 'dismiss', by: own, reason: 'My friend', decidedIn: 'room', until: null, at: expect.stringMatching(/Z$/) },
    });
    expect((await ask('root', 'GET', `/admin/mutes?user=${ann}`, 200)).items).toMatchObject([{ room: null, by: 'root' }]);
    expect(await ask('root', 'POST', `/admin/reports/${id}/resolve`, 200, mute)).toEqual(decided);
    await ask('root', 'POST', `/admin/reports/${id}/resolve`, 409, { decision: 'dismiss', reason: 'x' });
    await ask(own, 'POST', `/rooms/${room}/reports/${id}/resolve`, 409, { decision: 'dismiss', reason: 'x' });
    expect([await list('room'), await list('server')]).toEqual([[], [decided]]);
  });

  it('are so many an hour, all at once too, and it is told when there may be more', async () => {
    const limited = await ChatServer.start({ LIMITS: 'on' });
    await limited.http('known', 'GET', '/v1/me');
    const room = await limited.room('ann', 'public');
    const seed = `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
      SELECT $1, i, i, 'ann', 'c' || i, 'hi', '{}', now() FROM generate_series(1, 45) i`;
    await limited.test.app.get(DataSource).query(seed, [room]);
    const report = (seq: number) => limited.http('bob', 'POST', `/v1/rooms/${room}/messages/${seq}/reports`, { reason: 'spam' });
    const answers = await Promise.all(Array.from({ length: 45 }, (_, i) => report(i + 1)));
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(201), count(429)]).toEqual([30, 15]);
    const age = `UPDATE reports SET created_at = created_at - interval '59 minutes'`;
    await limited.test.app.get(DataSource).query(age);
    const refused = await limited.http('bob', 'POST', '/v1/users/known/reports', { reason: 'spam' });
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    // One that is open is none.
    expect((await report(answers.findIndex(({ status }) => status === 201) + 1)).status).toBe(200);
    await limited.close();
  });
});

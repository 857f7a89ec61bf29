import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { ChatServer } from '../support/chat-server.js';
import { expectRefusal } from '../support/limited-acts.js';
import { ModerationRequests, name } from '../support/moderation-requests.js';

let server: ChatServer;
let requests: ModerationRequests;
beforeAll(async () => {
  server = await ChatServer.start({ LIMITS: 'on' });
  requests = new ModerationRequests(server);
});
afterAll(() => server.close());

const ask: ModerationRequests['ask'] = (...order) => requests.ask(...order);
const send: ModerationRequests['send'] = (...order) => requests.send(...order);

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

  it.each(['ban', 'mute'])(
    'that a room has decided as a %s, and an administrator dismisses, are lifted in the room, and nothing that was set since',
    async (decision) => {
      const [ann, bob] = [name(), name()];
      const room = await server.room(ann, 'public', [bob]);
      const decidedByRoom = async () => {
        const path = `/rooms/${room}/messages/${await send(bob, room, 'hm')}/reports`;
        const { id } = await ask(ann, 'POST', path, 201, { reason: 'abuse' });
        await ask(ann, 'POST', `/rooms/${room}/reports/${id}/resolve`, 200, { decision, reason: 'Abuse' });
        return id as string;
      };
      const dismiss = (id: string) => ask('root', 'POST', `/admin/reports/${id}/resolve`, 200, { decision: 'dismiss', reason: 'No abuse' });
      const sanctions = async () => (await ask(ann, 'GET', `/rooms/${room}/${decision}s`, 200)).items as object[];
      const first = await decidedByRoom();
      expect(await sanctions()).toMatchObject([{ user: bob, reason: 'Abuse' }]);

      const { key } = await ask('root', 'POST', '/admin/api-keys', 201, { name: 'Desk', scopes: ['reports:write'] });
      const authorization = `Bearer ${key as string}`;
      const order = { decision: 'dismiss', reason: 'No abuse' };
      const byKey = await server.http(null, 'POST', `/v1/admin/reports/${first}/resolve`, order, { authorization });
      expect([byKey.status, byKey.body.message]).toEqual([403, 'To decide this takes the scope rooms:write too.']);
      expect(await sanctions()).toHaveLength(1);

      expect(await dismiss(first)).toMatchObject({ resolution: { decision: 'dismiss' }, overruled: { decision } });
      expect(await sanctions()).toEqual([]);
      if (decision === 'ban') await ask(bob, 'POST', `/rooms/${room}/join`, 200);
      const second = await decidedByRoom();
      await ask(ann, 'PUT', `/rooms/${room}/${decision}s/${bob}`, 200, { reason: 'Spam, too' });
      await dismiss(second);
      expect(await sanctions()).toMatchObject([{ user: bob, reason: 'Spam, too' }]);
    },
  );

  it('are so many an hour, all at once too, and it is told when there may be more', async () => {
    const [ann, bob, known] = [name(), name(), name()];
    await ask(known, 'GET', '/me', 200);
    const room = await server.room(ann, 'public');
    const seed = `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
      SELECT $1, i, i, $2, 'c' || i, 'hi', '{}', now() FROM generate_series(1, 45) i`;
    await server.test.app.get(DataSource).query(seed, [room, ann]);
    const report = (seq: number) => server.http(bob, 'POST', `/v1/rooms/${room}/messages/${seq}/reports`, { reason: 'spam' });
    const answers = await Promise.all(Array.from({ length: 45 }, (_, i) => report(i + 1)));
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(201), count(429)]).toEqual([30, 15]);
    const age = `UPDATE reports SET created_at = created_at - interval '59 minutes' WHERE reporter_id = $1`;
    await server.test.app.get(DataSource).query(age, [bob]);
    const refused = await server.http(bob, 'POST', `/v1/users/${known}/reports`, { reason: 'spam' });
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expectRefusal(refused, 'reports', 'q=30;w=3600');
    // One that is open is none.
    expect((await report(answers.findIndex(({ status }) => status === 201) + 1)).status).toBe(200);
  });
});

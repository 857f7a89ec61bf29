import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LIMITS } from '../../src/protocol/index.js';
import { type RoomsApp, startRoomsApp } from '../support/rooms-app.js';

let server: RoomsApp;

beforeAll(async () => {
  server = await startRoomsApp();
});

afterAll(() => server.close());

const call = (...args: Parameters<RoomsApp['call']>) => server.call(...args);
const setRole = (by: string, room: string, user: string, role = 'member') =>
  call(by, 'put', `/rooms/${room}/members/${encodeURIComponent(user)}`, { role });
const room = async (type: string, roles: Record<string, 'moderator' | 'member' | 'owner'> = {}) => {
  const { id } = await server.make('own', { type, members: Object.keys(roles) });
  for (const [user, role] of Object.entries(roles)) await setRole('own', id, user, role).expect(200);
  return id;
};
const stateOf = async (id: string) => {
  const rows = await server.sql.query(
    `SELECT r.member_count, r.last_seq::integer AS head, (SELECT count(*)::integer FROM memberships m WHERE m.room_id = r.id) AS rows
      FROM rooms r WHERE id = $1`,
    [id],
  );
  return rows[0] as { member_count: number; head: number; rows: number };
};
const actsOn = (id: string) => server.acts.filter((act) => act.kind === 'access.ended' && act.room === id);
const lastEvent = (id: string) => server.events(id).at(-1);

describe('joining and leaving', () => {
  it('is by an event, and once', async () => {
    const id = await room('public');
    expect((await call('joe', 'post', `/rooms/${id}/join`).expect(200)).body).toEqual({ role: 'member' });
    expect((await call('joe', 'post', `/rooms/${id}/join`).expect(200)).body).toEqual({ role: 'member' });
    expect((await call('own', 'post', `/rooms/${id}/join`).expect(200)).body).toEqual({ role: 'owner' });
    expect(server.events(id)).toEqual([
      { seq: 1, event: 'member.joined', user: 'joe', ends: null, data: { user: 'joe', role: 'member', by: 'joe' } },
    ]);
    expect(await stateOf(id)).toEqual({ member_count: 2, head: 1, rows: 2 });
    await call('joe', 'post', `/rooms/${id}/leave`).expect(204);
    await call('joe', 'post', `/rooms/${id}/leave`).expect(204);
    expect(server.events(id).slice(1)).toEqual([
      { seq: 2, event: 'member.left', user: 'joe', ends: 'left', data: { user: 'joe', role: 'member', by: 'joe' } },
    ]);
    expect(await stateOf(id)).toEqual({ member_count: 1, head: 2, rows: 1 });
    await call('joe', 'get', `/rooms/${id}`).expect(200);
  });

  it('of a private room ends all sight of it', async () => {
    const id = await room('private', { mem: 'member' });
    await call('mem', 'post', `/rooms/${id}/leave`).expect(204);
    for (const path of ['', '/members', '/messages']) await call('mem', 'get', `/rooms/${id}${path}`).expect(404);
    await call('mem', 'post', `/rooms/${id}/leave`).expect(404);
    await call('mem', 'post', `/rooms/${id}/join`).expect(404);
  });

  it('in large rooms makes no event, but ends access where the log is', async () => {
    const id = await room('public');
    await server.send('own', id);
    await server.fill(id, LIMITS.largeRoom);
    await call('joe', 'post', `/rooms/${id}/join`).expect(200);
    expect(await stateOf(id)).toMatchObject({ member_count: LIMITS.largeRoom + 1, head: 1 });
    await call('filler-1', 'post', `/rooms/${id}/leave`).expect(204);
    expect(actsOn(id)).toEqual([{ kind: 'access.ended', room: id, user: 'filler-1', reason: 'left', atSeq: 1 }]);
    await call('joe', 'post', `/rooms/${id}/join`).expect(200);
    expect(await stateOf(id)).toEqual({ member_count: LIMITS.largeRoom, head: 1, rows: LIMITS.largeRoom });
    // It is no large room any more.
    await call('joe', 'post', `/rooms/${id}/leave`).expect(204);
    expect(lastEvent(id)).toMatchObject({ seq: 2, event: 'member.left', user: 'joe', ends: 'left' });
  });

  it('in large rooms is seen when others do it', async () => {
    const id = await room('private');
    await server.fill(id, LIMITS.largeRoom + 50);
    await setRole('own', id, 'new').expect(200);
    await call('own', 'delete', `/rooms/${id}/members/filler-1`).expect(200);
    await call('own', 'put', `/rooms/${id}/bans/filler-2`, {}).expect(200);
    expect(server.events(id).map(({ event, user, ends }) => [event, user, ends])).toEqual([
      ['member.joined', 'new', null],
      ['member.left', 'filler-1', 'kicked'],
      ['member.left', 'filler-2', 'banned'],
    ]);
    await call('filler-3', 'delete', `/rooms/${id}/members/filler-3`).expect(200);
    expect(actsOn(id)).toEqual([{ kind: 'access.ended', room: id, user: 'filler-3', reason: 'left', atSeq: 3 }]);
  });

  it('stops at the cap of members', async () => {
    const id = await room('public', { mem: 'member' });
    await server.sql.query('UPDATE rooms SET member_count = $2 WHERE id = $1', [id, LIMITS.membersPerRoom]);
    for (const refused of [call('joe', 'post', `/rooms/${id}/join`), setRole('own', id, 'joe')]) {
      expect((await refused.expect(409)).body).toMatchObject({ code: 'conflict', message: expect.stringContaining('100000') });
    }
    await setRole('own', id, 'mem', 'moderator').expect(200);
  });

  it('counts right when many come and go at once', async () => {
    const id = await room('public');
    const users = Array.from({ length: 20 }, (_, i) => `busy-${i}`);
    await Promise.all(
      users.flatMap((user, i) => [
        call(user, 'post', `/rooms/${id}/join`).expect(200),
        setRole('own', id, `added-${i}`).expect(200),
        call(users[(i + 7) % 20]!, 'post', `/rooms/${id}/leave`).expect(204),
      ]),
    );
    const state = await stateOf(id);
    expect(state.member_count).toBe(state.rows);
    const seqs = server.events(id).map(({ seq }) => seq);
    expect(seqs.sort((a, b) => a - b)).toEqual(Array.from({ length: state.head }, (_, i) => i + 1));
  });
});

describe('PUT /v1/rooms/:room/members/:user', () => {
  it('adds a user, seen or not, who has nothing unread and is told', async () => {
    const id = await room('private');
    await server.send('own', id);
    const user = 'auth0|un/seen é👍';
    const { body } = await setRole('own', id, user).expect(200);
    expect(body).toEqual({ user, role: 'member', joinedAt: expect.any(String) });
    expect(lastEvent(id)).toEqual({ seq: 2, event: 'member.joined', user, ends: null, data: { user, role: 'member', by: 'own' } });
    const view = (await call(user, 'get', `/rooms/${id}`).expect(200)).body;
    expect(view).toMatchObject({ memberCount: 2, headSeq: 2 });
    expect(server.acts).toContainEqual({ kind: 'room.added', users: [user], room: id, role: 'member' });
    expect((await call(user, 'get', '/me/rooms').expect(200)).body.items).toMatchObject([{ readSeq: 2, unread: 0 }]);
    expect((await setRole('own', id, user).expect(200)).body).toEqual(body);
    expect(await stateOf(id)).toEqual({ member_count: 2, head: 2, rows: 2 });
  });

  it('gives a role by an event', async () => {
    const id = await room('public', { mem: 'member' });
    expect((await setRole('own', id, 'mem', 'moderator').expect(200)).body).toMatchObject({ user: 'mem', role: 'moderator' });
    await setRole('own', id, 'mem', 'moderator').expect(200);
    expect(server.events(id)).toEqual([
      { seq: 1, event: 'member.updated', user: 'mem', ends: null, data: { user: 'mem', role: 'moderator', by: 'own' } },
    ]);
  });

  it('is for moderators as far as plain members go', async () => {
    const id = await room('public', { moe: 'moderator', mo: 'moderator', mem: 'member' });
    await setRole('moe', id, 'new').expect(200);
    await setRole('moe', id, 'mem').expect(200);
    for (const [user, role] of [
      ['x', 'moderator'],
      ['mem', 'moderator'],
      ['mem', 'owner'],
      ['moe', 'owner'],
      ['mo', 'member'],
      ['own', 'member'],
    ] as const) {
      await setRole('moe', id, user, role).expect(403);
    }
    await setRole('mem', id, 'x').expect(403);
    await setRole('guest', id, 'guest').expect(403);
    expect(await stateOf(id)).toMatchObject({ member_count: 5, head: 3 });
  });

  it.each([{}, { role: 'admin' }, { role: 'owner', by: 'x' }, { role: null }])('refuses %j', async (body) => {
    const id = await room('public');
    await call('own', 'put', `/rooms/${id}/members/x`, body).expect(400);
  });

  it('refuses an id that no user can have', async () => {
    const id = await room('public');
    for (const user of ['x'.repeat(256), '\u0000']) await setRole('own', id, user).expect(400);
  });
});

describe('DELETE /v1/rooms/:room/members/:user', () => {
  it('ends the access of the member, by an event with the reason', async () => {
    const id = await room('private', { mem: 'member' });
    const { body } = await call('own', 'delete', `/rooms/${id}/members/mem?reason=Too%20loud`).expect(200);
    expect(body).toEqual({ user: 'mem', role: 'member', joinedAt: expect.any(String) });
    expect(lastEvent(id)).toEqual({
      ...{ seq: 1, event: 'member.left', user: 'mem', ends: 'kicked' },
      data: { user: 'mem', role: 'member', by: 'own', reason: 'Too loud' },
    });
    await call('mem', 'get', `/rooms/${id}`).expect(404);
    const again = await call('own', 'delete', `/rooms/${id}/members/mem`).expect(404);
    expect(again.body).toMatchObject({ code: 'not_found', message: 'The user is not a member of this room.' });
    expect(await stateOf(id)).toEqual({ member_count: 1, head: 1, rows: 1 });
  });

  it('is for moderators as far as plain members go', async () => {
    const id = await room('public', { moe: 'moderator', mo: 'moderator', mem: 'member', mim: 'member' });
    for (const user of ['own', 'mo']) await call('moe', 'delete', `/rooms/${id}/members/${user}`).expect(403);
    await call('mem', 'delete', `/rooms/${id}/members/mim`).expect(403);
    await call('guest', 'delete', `/rooms/${id}/members/mim`).expect(403);
    await call('moe', 'delete', `/rooms/${id}/members/mem`).expect(200);
    await call('own', 'delete', `/rooms/${id}/members/mo`).expect(200);
  });

  it('of oneself is leaving', async () => {
    const id = await room('private', { moe: 'moderator', mem: 'member' });
    for (const user of ['mem', 'moe']) {
      await call(user, 'delete', `/rooms/${id}/members/${user}`).expect(200);
      expect(lastEvent(id)).toMatchObject({ event: 'member.left', user, ends: 'left' });
    }
  });

  it('takes no endless reason', async () => {
    const id = await room('private', { mem: 'member' });
    for (const query of [`reason=${'x'.repeat(501)}`, 'reason=', 'reason=a&reason=b', 'why=x']) {
      await call('own', 'delete', `/rooms/${id}/members/mem?${query}`).expect(400);
    }
  });
});

describe('the last owner', () => {
  it('stays, until there is another', async () => {
    const id = await room('public', { mem: 'member' });
    const ways = () => [
      call('own', 'post', `/rooms/${id}/leave`),
      call('own', 'delete', `/rooms/${id}/members/own`),
      setRole('own', id, 'own', 'moderator'),
    ];
    for (const refused of ways()) expect((await refused.expect(409)).body).toMatchObject({ code: 'conflict' });
    await call('own', 'put', `/rooms/${id}/bans/own`, {}).expect(403);
    expect(server.events(id)).toEqual([]);
    await setRole('own', id, 'own', 'owner').expect(200);
    await setRole('own', id, 'mem', 'owner').expect(200);
    await call('own', 'post', `/rooms/${id}/leave`).expect(204);
    await call('mem', 'post', `/rooms/${id}/leave`).expect(409);
  });

  it('stays when two owners go at once', async () => {
    const id = await room('public', { two: 'owner' });
    const answers = await Promise.all([call('own', 'post', `/rooms/${id}/leave`), setRole('two', id, 'two', 'member')]);
    expect(answers.map(({ status }) => status)).toContain(409);
    expect(answers.filter(({ status }) => status < 300)).toHaveLength(1);
    const owners = await server.sql.query(`SELECT user_id FROM memberships WHERE room_id = $1 AND role = 'owner'`, [id]);
    expect(owners).toHaveLength(1);
  });

  it('may be put out by another owner', async () => {
    const id = await room('public', { two: 'owner' });
    await call('two', 'put', `/rooms/${id}/bans/own`, {}).expect(200);
    expect(lastEvent(id)).toMatchObject({ user: 'own', ends: 'banned' });
  });
});

describe('bans', () => {
  it('of a member end his access, and keep him out', async () => {
    const id = await room('public', { mem: 'member' });
    const { body } = await call('own', 'put', `/rooms/${id}/bans/mem`, { reason: 'Spam' }).expect(200);
    expect(body).toEqual({ user: 'mem', by: 'own', reason: 'Spam', until: null, createdAt: expect.any(String) });
    expect(lastEvent(id)).toEqual({
      ...{ seq: 1, event: 'member.left', user: 'mem', ends: 'banned' },
      data: { user: 'mem', role: 'member', by: 'own', reason: 'Spam' },
    });
    expect(actsOn(id)).toEqual([]);
    for (const path of ['', '/members', '/messages', '/events', '/bans']) {
      expect((await call('mem', 'get', `/rooms/${id}${path}`).expect(403)).body).toMatchObject({ code: 'forbidden' });
    }
    await call('mem', 'post', `/rooms/${id}/join`).expect(403);
    await setRole('own', id, 'mem').expect(403);
    const found = await call('mem', 'get', '/rooms').expect(200);
    expect(found.body.items.map((item: { id: string }) => item.id)).not.toContain(id);
    await call('own', 'delete', `/rooms/${id}/bans/mem`).expect(204);
    await call('own', 'delete', `/rooms/${id}/bans/mem`).expect(204);
    await call('mem', 'get', `/rooms/${id}`).expect(200);
    await call('mem', 'post', `/rooms/${id}/join`).expect(200);
  });

  it('of a non-member end what he may be reading in a public room', async () => {
    const id = await room('public');
    await server.send('own', id);
    const first = await call('own', 'put', `/rooms/${id}/bans/guest`).expect(200);
    expect(first.body).toMatchObject({ user: 'guest', reason: null });
    expect(actsOn(id)).toEqual([{ kind: 'access.ended', room: id, user: 'guest', reason: 'banned', atSeq: 1 }]);
    const again = await call('own', 'put', `/rooms/${id}/bans/guest`, { reason: 'Spam' }).expect(200);
    expect(again.body).toEqual({ ...first.body, reason: 'Spam' });
    expect(await stateOf(id)).toEqual({ member_count: 1, head: 1, rows: 1 });
  });

  it('of a non-member tell him nothing of a private room', async () => {
    const id = await room('private');
    await call('own', 'put', `/rooms/${id}/bans/guest`, {}).expect(200);
    expect(actsOn(id)).toEqual([]);
    await setRole('own', id, 'guest').expect(403);
  });

  it('are for moderators as far as plain members go', async () => {
    const id = await room('public', { moe: 'moderator', mo: 'moderator', mem: 'member' });
    for (const user of ['own', 'mo', 'moe']) await call('moe', 'put', `/rooms/${id}/bans/${user}`, {}).expect(403);
    for (const [method, path, body] of [
      ['get', '', undefined],
      ['put', '/moe', {}],
      ['delete', '/moe', undefined],
    ] as const) {
      await call('mem', method, `/rooms/${id}/bans${path}`, body).expect(403);
      await call('guest', method, `/rooms/${id}/bans${path}`, body).expect(403);
    }
    for (const user of ['mem', 'guest']) await call('moe', 'put', `/rooms/${id}/bans/${user}`, {}).expect(200);
    const { body } = await call('moe', 'get', `/rooms/${id}/bans`).expect(200);
    expect(body).toMatchObject({
      items: [
        { user: 'guest', by: 'moe' },
        { user: 'mem', by: 'moe' },
      ],
      nextCursor: null,
    });
    await call('moe', 'delete', `/rooms/${id}/bans/mem`).expect(204);
  });

  it('take effect against a join at the same time', async () => {
    const id = await room('public');
    const users = Array.from({ length: 10 }, (_, i) => `racer-${i}`);
    await Promise.all(
      users.flatMap((user) => [call(user, 'post', `/rooms/${id}/join`), call('own', 'put', `/rooms/${id}/bans/${user}`, {})]),
    );
    expect(await stateOf(id)).toMatchObject({ member_count: 1, rows: 1 });
  });
});

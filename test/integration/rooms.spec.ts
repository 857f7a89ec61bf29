import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { RoomView } from '../../src/protocol/index.js';
import { type RoomsApp, startRoomsApp } from '../support/rooms-app.js';

let server: RoomsApp;

beforeAll(async () => {
  server = await startRoomsApp();
});

afterAll(() => server.close());

const NOWHERE = '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11';
const { call, make } = {
  call: (...args: Parameters<RoomsApp['call']>) => server.call(...args),
  make: (...args: Parameters<RoomsApp['make']>) => server.make(...args),
};
const membersOf = async (user: string, room: string) =>
  ((await call(user, 'get', `/rooms/${room}/members`).expect(200)).body.items as { user: string; role: string }[]).map(
    ({ user, role }) => `${user}:${role}`,
  );

describe('POST /v1/rooms', () => {
  it('makes a room of its members, owned by the caller, without an event', async () => {
    const draft = { type: 'private', name: 'Kitchen', topic: 'Lunch', meta: { color: 'teal', deep: [{ a: null }] } };
    const room = await make('ada', { ...draft, members: ['ben', 'never seen', 'ben', 'ada'] });
    expect(room).toEqual({
      ...draft,
      id: expect.stringMatching(/^[\da-f-]{36}$/),
      epoch: expect.stringMatching(/^[\w-]{8}$/),
      firstSeq: 1,
      headSeq: 0,
      memberCount: 3,
      createdBy: 'ada',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/),
      archivedAt: null,
    });
    expect(await membersOf('ben', room.id)).toEqual(['ada:owner', 'ben:member', 'never seen:member']);
    expect(server.events(room.id)).toEqual([]);
    expect(server.acts.filter((act) => act.kind === 'room.added' && act.room === room.id)).toHaveLength(2);
    for (const [role, users] of [
      ['owner', ['ada']],
      ['member', ['ben', 'never seen']],
    ])
      expect(server.acts).toContainEqual({ kind: 'room.added', room: room.id, role, users });
  });

  it('needs no name, and takes null for none', async () => {
    expect(await make('ada', { type: 'public' })).toMatchObject({ name: null, topic: null, meta: {}, memberCount: 1 });
    expect(await make('ada', { type: 'private', name: null, topic: '' })).toMatchObject({ name: null, topic: '' });
  });

  it.each([
    ['type', {}],
    ['type', { type: 'secret' }],
    ['type', { type: ['public'] }],
    ['name', { type: 'public', name: '' }],
    ['name', { type: 'public', name: 7 }],
    ['name', { type: 'public', name: 'x'.repeat(201) }],
    ['name', { type: 'public', name: 'a\u0000b' }],
    ['name', { type: 'public', name: '\ud800' }],
    ['topic', { type: 'public', topic: 'x'.repeat(1001) }],
    ['meta', { type: 'public', meta: [] }],
    ['meta', { type: 'public', meta: null }],
    ['meta', { type: 'public', meta: { x: 'x'.repeat(4100) } }],
    ['members', { type: 'public', members: 'ben' }],
    ['members', { type: 'public', members: [''] }],
    ['members', { type: 'public', members: [7] }],
    ['members', { type: 'public', members: ['x'.repeat(256)] }],
    ['members', { type: 'private', members: Array.from({ length: 201 }, (_, i) => `u${i}`) }],
    ['members', { type: 'direct' }],
    ['members', { type: 'direct', members: [] }],
    ['members', { type: 'direct', members: ['ada'] }],
    ['members', { type: 'direct', members: Array.from({ length: 50 }, (_, i) => `u${i}`) }],
    ['createdBy', { type: 'public', createdBy: 'ben' }],
    ['role', { type: 'public', role: 'owner' }],
  ])('refuses a bad %s (%#)', async (path, draft) => {
    const { body } = await call('ada', 'post', '/rooms', draft).expect(400);
    expect(body).toMatchObject({ code: 'validation_failed', details: [{ path }] });
  });

  it('refuses no body at all', async () => {
    await call('ada', 'post', '/rooms').expect(400);
  });

  it('counts lengths in UTF-16 units', async () => {
    await make('ada', { type: 'public', name: '👍'.repeat(100) });
    await call('ada', 'post', '/rooms', { type: 'public', name: '👍'.repeat(101) }).expect(400);
  });

  it('takes as many members as the limit says', async () => {
    const members = Array.from({ length: 200 }, (_, i) => `member-${i}`);
    expect(await make('ada', { type: 'private', members })).toMatchObject({ memberCount: 201 });
    expect(await make('ada', { type: 'direct', members: members.slice(0, 49) })).toMatchObject({ memberCount: 50 });
  });
});

describe('direct rooms', () => {
  it('are one for a set of members, whoever asks and in whatever order', async () => {
    const room = await make('d1', { type: 'direct', members: ['d2', 'd3'] });
    const again = await call('d3', 'post', '/rooms', { type: 'direct', name: 'other', members: ['d1', 'd3', 'd2', 'd1'] }).expect(200);
    expect(again.body).toEqual(room);
    expect(await make('d1', { type: 'direct', members: ['d2'] })).not.toMatchObject({ id: room.id });
    expect(await membersOf('d2', room.id)).toEqual(['d1:member', 'd2:member', 'd3:member']);
    // Ids that would run together if they were just joined.
    const one = await make('d1', { type: 'direct', members: ['x,y', 'z'] });
    expect(await make('d1', { type: 'direct', members: ['x', 'y,z'] })).not.toMatchObject({ id: one.id });
  });

  it('are one when asked for at the same time', async () => {
    const members = ['r1', 'r2', 'r3'];
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, i) => call(members[i % 3]!, 'post', '/rooms', { type: 'direct', members })),
    );
    expect(new Set(answers.map(({ body }) => (body as RoomView).id)).size).toBe(1);
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 23 }, () => 200), 201]);
    const added = server.acts.filter((act) => act.kind === 'room.added' && act.users.some((user) => members.includes(user)));
    expect(added.map((act) => act.kind === 'room.added' && [...act.users].sort())).toEqual([members]);
  });

  it('have fixed members', async () => {
    const { id } = await make('f1', { type: 'direct', members: ['f2'] });
    const forbidden: Parameters<RoomsApp['call']>[] = [
      ['f1', 'post', `/rooms/${id}/leave`],
      ['f1', 'put', `/rooms/${id}/members/f3`, { role: 'member' }],
      ['f1', 'put', `/rooms/${id}/members/f2`, { role: 'owner' }],
      ['f1', 'delete', `/rooms/${id}/members/f2`],
      ['f1', 'delete', `/rooms/${id}/members/f1`],
      ['f1', 'put', `/rooms/${id}/bans/f2`, {}],
      ['f1', 'delete', `/rooms/${id}/bans/f2`],
      ['f1', 'get', `/rooms/${id}/bans`],
      ['f1', 'patch', `/rooms/${id}`, { archived: true }],
      ['f1', 'delete', `/rooms/${id}`],
    ];
    for (const args of forbidden) expect((await call(...args).expect(403)).body).toMatchObject({ code: 'forbidden' });
    expect((await call('f1', 'post', `/rooms/${id}/join`).expect(200)).body).toEqual({ role: 'member' });
    expect(server.events(id)).toEqual([]);
  });

  it('are changed by every member', async () => {
    const { id } = await make('g1', { type: 'direct', members: ['g2'] });
    const { body } = await call('g2', 'patch', `/rooms/${id}`, { topic: 'us', meta: { pin: 1 } }).expect(200);
    expect(body).toMatchObject({ topic: 'us', meta: { pin: 1 }, headSeq: 1 });
  });
});

describe('Idempotency-Key', () => {
  const post = (user: string, key: string, draft: object) => call(user, 'post', '/rooms', draft).set('Idempotency-Key', key);

  it('makes one room for a user and key, at the same time too', async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 12 }, () => post('ida', key, { type: 'private', name: 'Once' })));
    expect(new Set(answers.map(({ body }) => (body as RoomView).id)).size).toBe(1);
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 11 }, () => 200), 201]);
    const other = await post('ido', key, { type: 'private', name: 'Once' }).expect(201);
    expect(other.body).not.toMatchObject({ id: (answers[0]!.body as RoomView).id });
  });

  it('answers the room as it stands', async () => {
    const { body } = await post('ida', 'k1', { type: 'public', name: 'Before' }).expect(201);
    await call('ida', 'patch', `/rooms/${body.id}`, { name: 'After' }).expect(200);
    expect((await post('ida', 'k1', { type: 'public', name: 'Before' }).expect(200)).body).toMatchObject({ id: body.id, name: 'After' });
  });

  it('is a conflict for another kind of room, or another direct room', async () => {
    await post('ida', 'k2', { type: 'public' }).expect(201);
    await post('ida', 'k2', { type: 'private' }).expect(409);
    await post('ida', 'k3', { type: 'direct', members: ['ivo'] }).expect(201);
    await post('ida', 'k3', { type: 'direct', members: ['ivo'] }).expect(200);
    await post('ida', 'k3', { type: 'direct', members: ['eve'] }).expect(409);
    await post('ida', 'k4', { type: 'direct', members: ['ivo'] }).expect(200);
  });

  it('tells nothing of a room that is gone, or that the user was removed from', async () => {
    const { body: gone } = await post('ida', 'k5', { type: 'private' }).expect(201);
    await call('ida', 'delete', `/rooms/${gone.id}`).expect(200);
    expect((await post('ida', 'k5', { type: 'private' }).expect(404)).body).toMatchObject({ message: 'There is no such room.' });
    const { body: left } = await post('ida', 'k6', { type: 'private', members: ['ivo'] }).expect(201);
    await call('ida', 'put', `/rooms/${left.id}/members/ivo`, { role: 'owner' }).expect(200);
    await call('ida', 'post', `/rooms/${left.id}/leave`).expect(204);
    await post('ida', 'k6', { type: 'private', members: ['ivo'] }).expect(404);
  });

  it.each(['', 'x'.repeat(65), 'caf\u00e9'])('refuses a bad key (%#)', async (key) => {
    const { body } = await post('ida', key, { type: 'public' }).expect(400);
    expect(body).toMatchObject({ code: 'validation_failed', details: [{ path: 'Idempotency-Key' }] });
  });
});

describe('a room that is not yours', () => {
  it('is in every way one that does not exist', async () => {
    const { id } = await make('own', { type: 'private', members: ['mem'] });
    const { id: direct } = await make('own', { type: 'direct', members: ['mem'] });
    const { id: deleted } = await make('own', { type: 'public', members: ['eve'] });
    await call('own', 'delete', `/rooms/${deleted}`).expect(200);
    await call('own', 'put', `/rooms/${id}/bans/banned`, {}).expect(200);
    const acts: [method: 'get' | 'put' | 'post' | 'patch' | 'delete', path: string, body?: object][] = [
      ['get', ''],
      ['patch', '', { name: 'mine' }],
      ['patch', '', { archived: true }],
      ['delete', ''],
      ['post', '/join'],
      ['post', '/leave'],
      ['get', '/members'],
      ['put', '/members/eve', { role: 'owner' }],
      ['delete', '/members/mem'],
      ['delete', '/members/eve'],
      ['get', '/bans'],
      ['put', '/bans/mem', {}],
      ['delete', '/bans/banned'],
    ];
    for (const [method, path, body] of acts) {
      const answers = [];
      for (const room of [NOWHERE, id, direct, deleted]) {
        answers.push((await call('eve', method, `/rooms/${room}${path}`, body)).body);
      }
      answers.push((await call('banned', method, `/rooms/${id}${path}`, body)).body);
      const same = { code: 'not_found', message: 'There is no such room.', requestId: expect.any(String) };
      expect([method, path, answers]).toEqual([method, path, answers.map(() => same)]);
    }
  });

  it('is named by a UUID of any case', async () => {
    const { id } = await make('own', { type: 'private' });
    expect((await call('own', 'get', `/rooms/${id.toUpperCase()}`).expect(200)).body).toMatchObject({ id });
    for (const bad of ['7', 'x', `${id}0`, `${id}'--`, '%00']) await call('own', 'get', `/rooms/${encodeURIComponent(bad)}`).expect(400);
  });
});

describe('PATCH /v1/rooms/:room', () => {
  it('changes what is named, by an event, and nothing else', async () => {
    const room = await make('pat', { type: 'public', name: 'A', topic: 'T', meta: { a: 1 }, members: ['moe', 'mo'] });
    await call('pat', 'put', `/rooms/${room.id}/members/moe`, { role: 'moderator' }).expect(200);
    const { body } = await call('moe', 'patch', `/rooms/${room.id}`, { name: 'B' }).expect(200);
    expect(body).toEqual({ ...room, name: 'B', headSeq: 2 });
    expect(server.events(room.id).at(-1)).toEqual({ seq: 2, event: 'room.updated', user: null, ends: null, data: { room: body } });
    const cleared = await call('pat', 'patch', `/rooms/${room.id}`, { name: null, topic: null, meta: {} }).expect(200);
    expect(cleared.body).toEqual({ ...room, name: null, topic: null, meta: {}, headSeq: 3 });
    expect((await call('pat', 'get', `/rooms/${room.id}`).expect(200)).body).toEqual(cleared.body);
  });

  it('makes no event when nothing changes', async () => {
    const room = await make('pat', { type: 'public', name: 'A', meta: { a: [1, { b: 2 }], c: 3 } });
    const same = { name: 'A', topic: null, meta: { c: 3, a: [1, { b: 2 }] }, archived: false };
    expect((await call('pat', 'patch', `/rooms/${room.id}`, same).expect(200)).body).toEqual(room);
    expect(server.events(room.id)).toEqual([]);
  });

  it.each([{}, { name: '' }, { type: 'private' }, { archived: 'yes' }, { archived: null }, { meta: null }, { memberCount: 9 }])(
    'refuses %j',
    async (changes) => {
      const { id } = await make('pat', { type: 'public' });
      expect((await call('pat', 'patch', `/rooms/${id}`, changes).expect(400)).body).toMatchObject({ code: 'validation_failed' });
    },
  );

  it('is for owners and moderators, and archiving for owners', async () => {
    const { id } = await make('pat', { type: 'public', members: ['moe', 'mo'] });
    await call('pat', 'put', `/rooms/${id}/members/moe`, { role: 'moderator' }).expect(200);
    for (const changes of [{ topic: 'x' }, { archived: true }, { archived: false }]) {
      await call('mo', 'patch', `/rooms/${id}`, changes).expect(403);
      await call('guest', 'patch', `/rooms/${id}`, changes).expect(403);
    }
    for (const changes of [{ archived: true }, { archived: false }, { topic: 'x', archived: true }]) {
      await call('moe', 'patch', `/rooms/${id}`, changes).expect(403);
    }
    expect((await call('pat', 'get', `/rooms/${id}`)).body).toMatchObject({ topic: null, archivedAt: null, headSeq: 1 });
  });
});

describe('an archived room', () => {
  it('can be read, left, moderated and reopened, and nothing else', async () => {
    const { id } = await make('arc', { type: 'public', name: 'Old', members: ['mem'] });
    await server.send('mem', id);
    const { body } = await call('arc', 'patch', `/rooms/${id}`, { topic: 'bye', archived: true }).expect(200);
    expect(body).toMatchObject({ topic: 'bye', archivedAt: expect.any(String), headSeq: 3 });
    expect(server.events(id).slice(1)).toEqual([
      { seq: 2, event: 'room.updated', user: null, ends: null, data: { room: { ...body, archivedAt: null, headSeq: 2 } } },
      { seq: 3, event: 'room.archived', user: null, ends: 'archived', data: { room: body } },
    ]);
    for (const path of ['', '/members', '/messages', '/events']) await call('guest', 'get', `/rooms/${id}${path}`).expect(200);
    await call('arc', 'get', `/rooms/${id}/bans`).expect(200);
    const closed: Parameters<RoomsApp['call']>[] = [
      ['guest', 'post', `/rooms/${id}/join`],
      ['arc', 'patch', `/rooms/${id}`, { name: 'New' }],
      ['arc', 'patch', `/rooms/${id}`, { name: 'New', archived: true }],
      ['arc', 'put', `/rooms/${id}/members/x`, { role: 'member' }],
    ];
    for (const args of closed) {
      expect((await call(...args).expect(409)).body).toMatchObject({ code: 'conflict', message: 'The room is archived.' });
    }
    const post = call('mem', 'post', `/rooms/${id}/messages`, { text: 'hi' }).set('Idempotency-Key', 'k');
    expect((await post.expect(409)).body).toMatchObject({ code: 'conflict', message: 'The room is archived.' });
    await call('mem', 'post', `/rooms/${id}/join`).expect(200);
    await call('guest', 'post', `/rooms/${id}/leave`).expect(204);
    expect((await call('arc', 'patch', `/rooms/${id}`, { archived: true }).expect(200)).body).toEqual(body);
    await call('arc', 'put', `/rooms/${id}/bans/mem`, {}).expect(200);
    await call('mem', 'get', `/rooms/${id}`).expect(403);
    await call('arc', 'delete', `/rooms/${id}/bans/mem`).expect(204);
    expect(server.events(id).at(-1)).toMatchObject({ seq: 4, event: 'member.left', user: 'mem', ends: 'banned' });

    const reopened = await call('arc', 'patch', `/rooms/${id}`, { archived: false, name: 'New' }).expect(200);
    expect(reopened.body).toEqual({ ...body, name: 'New', archivedAt: null, headSeq: 5, memberCount: 1 });
    expect(server.events(id).at(-1)).toMatchObject({ seq: 5, event: 'room.updated', ends: null });
    await call('guest', 'post', `/rooms/${id}/join`).expect(200);
  });
});

describe('DELETE /v1/rooms/:room', () => {
  it('is for owners, ends everybody’s access, and is done once', async () => {
    const room = await make('del', { type: 'private', members: ['moe', 'mem'] });
    await call('del', 'put', `/rooms/${room.id}/members/moe`, { role: 'moderator' }).expect(200);
    await call('moe', 'delete', `/rooms/${room.id}`).expect(403);
    await call('mem', 'delete', `/rooms/${room.id}`).expect(403);
    const { body } = await call('del', 'delete', `/rooms/${room.id}`).expect(200);
    expect(body).toEqual({ ...room, headSeq: 2 });
    expect(server.events(room.id).at(-1)).toEqual({ seq: 2, event: 'room.deleted', user: null, ends: 'deleted', data: { room: body } });
    await call('del', 'delete', `/rooms/${room.id}`).expect(404);
    await call('mem', 'get', `/rooms/${room.id}`).expect(404);
    await call('mem', 'get', `/rooms/${room.id}/messages`).expect(404);
  });

  it('takes an archived room as well', async () => {
    const { id } = await make('del', { type: 'public' });
    await call('del', 'patch', `/rooms/${id}`, { archived: true }).expect(200);
    await call('del', 'delete', `/rooms/${id}`).expect(200);
  });
});

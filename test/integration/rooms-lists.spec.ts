import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type RoomsApp, startRoomsApp } from '../support/rooms-app.js';

let server: RoomsApp;

beforeAll(async () => {
  server = await startRoomsApp();
});

afterAll(() => server.close());

const call = (...args: Parameters<RoomsApp['call']>) => server.call(...args);

/** All items of a list, page by page. */
async function walk<T>(user: string, path: string, limit: number, meanwhile?: () => Promise<unknown>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const query: string = `limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`;
    const { body } = await call(user, 'get', `${path}${path.includes('?') ? '&' : '?'}${query}`).expect(200);
    expect(body.items.length).toBeLessThanOrEqual(limit);
    items.push(...body.items);
    cursor = body.nextCursor;
    await meanwhile?.();
  } while (cursor !== null);
  return items;
}

const SQL = [`' OR 1=1 --`, `'; DROP TABLE rooms; --`, `%' OR '%'='`, '$1', '\\'];

describe('GET /v1/rooms', () => {
  const names = (items: { name: string }[]) => items.map(({ name }) => name);

  it('pages public rooms that can be joined, newest first', async () => {
    const tag = randomUUID();
    for (let i = 0; i < 7; i++) await server.make('pub', { type: 'public', name: `${tag} ${i}` });
    await server.make('pub', { type: 'private', name: `${tag} private` });
    await server.make('pub', { type: 'direct', name: `${tag} direct`, members: ['x'] });
    const { id: archived } = await server.make('pub', { type: 'public', name: `${tag} archived` });
    await call('pub', 'patch', `/rooms/${archived}`, { archived: true }).expect(200);
    const { id: deleted } = await server.make('pub', { type: 'public', name: `${tag} deleted` });
    await call('pub', 'delete', `/rooms/${deleted}`).expect(200);
    const all = [6, 5, 4, 3, 2, 1, 0].map((i) => `${tag} ${i}`);
    for (const limit of [1, 3, 7, 50]) expect(names(await walk('guest', `/rooms?q=${tag}`, limit))).toEqual(all);
    const made = () => server.make('pub', { type: 'public', name: `${tag} later` });
    expect(names(await walk('guest', `/rooms?q=${tag}`, 2, made))).toEqual(all);
    expect(names(await walk('guest', '/rooms', 200))).toEqual(expect.arrayContaining(all));
  });

  it('orders rooms made in the same millisecond', async () => {
    const tag = randomUUID();
    for (let i = 0; i < 9; i++) await server.make('pub', { type: 'public', name: tag });
    await server.sql.query(`UPDATE rooms SET created_at = '2026-01-01T00:00:00.007Z' WHERE name = $1`, [tag]);
    const ids = (await walk<{ id: string }>('guest', `/rooms?q=${tag}`, 2)).map(({ id }) => id);
    expect(new Set(ids).size).toBe(9);
    expect(ids).toEqual([...ids].sort().reverse());
  });

  it('searches names by a part, in any case, and takes every sign as it is', async () => {
    const tag = randomUUID().slice(0, 8);
    for (const name of ['100%', '100 x', 'a_b', 'axb', 'back\\slash', 'Ärger', `O'Neil`]) {
      await server.make('pub', { type: 'public', name: `${tag} ${name}` });
    }
    const search = async (q: string) =>
      names((await call('guest', 'get', `/rooms?q=${encodeURIComponent(q)}`).expect(200)).body.items)
        .filter((name) => name?.startsWith(tag))
        .map((name) => name.slice(tag.length + 1));
    expect(await search('100%')).toEqual(['100%']);
    expect(await search('A_B')).toEqual(['a_b']);
    expect(await search('k\\s')).toEqual(['back\\slash']);
    expect(await search('äRG')).toEqual(['Ärger']);
    expect(await search(`o'n`)).toEqual([`O'Neil`]);
    expect(await search(`${tag} %`)).toEqual([]);
    for (const q of SQL) expect(await search(q)).toEqual(q === '\\' ? ['back\\slash'] : []);
  });

  it.each([
    'q=',
    `q=${'x'.repeat(201)}`,
    'q[a]=b',
    'q=a&q=b',
    'q=%00',
    'sort=name',
    'limit=0',
    'limit=201',
    'limit=',
    'limit=1e2',
    'limit=5.5',
  ])('refuses a bad query (%#)', async (query) => {
    expect((await call('guest', 'get', `/rooms?${query}`).expect(400)).body).toMatchObject({ code: 'validation_failed' });
  });
});

describe('GET /v1/me/rooms', () => {
  const mine = async (user: string) => (await call(user, 'get', '/me/rooms').expect(200)).body.items;

  it('has each room with the role, the read mark, what is unread, and the last message', async () => {
    const quiet = await server.make('me', { type: 'private', name: 'Quiet' });
    const lively = await server.make('me', { type: 'public', name: 'Lively', members: ['ben'] });
    await server.make('ben', { type: 'public', name: 'Not mine' });
    await server.send('ben', lively.id, 'one');
    await server.send('me', lively.id, 'my own');
    await server.send('ben', lively.id, 'two');
    const items = await mine('me');
    expect(items).toEqual([
      {
        ...{ room: { ...lively, headSeq: 3 }, role: 'owner', readSeq: 0, unread: 2 },
        lastMessage: (await call('me', 'get', `/rooms/${lively.id}/messages/3`).expect(200)).body,
      },
      { room: quiet, role: 'owner', readSeq: 0, unread: 0, lastMessage: null },
    ]);
    await call('ben', 'delete', `/rooms/${lively.id}/messages/3`).expect(200);
    expect((await mine('me'))[0]).toMatchObject({ unread: 1, lastMessage: { seq: 3, text: '', deletedAt: expect.any(String) } });
    await call('me', 'put', `/rooms/${lively.id}/read`, { seq: 1 }).expect(200);
    expect((await mine('me'))[0]).toMatchObject({ readSeq: 1, unread: 0 });
    await call('me', 'delete', `/rooms/${quiet.id}`).expect(200);
    expect(await mine('me')).toHaveLength(1);
    expect(await mine('nobody')).toEqual([]);
  });

  it('stops counting at 100', async () => {
    const { id } = await server.make('me100', { type: 'public', members: ['ben'] });
    await server.sql.query(
      `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
        SELECT $1, i, i, 'ben', i::text, 'x', '{}', now() FROM generate_series(1, 150) i`,
      [id],
    );
    await server.sql.query('UPDATE rooms SET last_seq = 150 WHERE id = $1', [id]);
    const unreadFrom = async (readSeq: number) => {
      await server.sql.query(`UPDATE memberships SET read_seq = $2 WHERE room_id = $1`, [id, readSeq]);
      return (await mine('me100'))[0].unread as number;
    };
    expect(await unreadFrom(0)).toBe(100);
    expect(await unreadFrom(50)).toBe(100);
    expect(await unreadFrom(51)).toBe(99);
    expect(await unreadFrom(150)).toBe(0);
  });

  it('pages, and meets each room once while messages and rooms come', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.unshift((await server.make('pager', { type: 'private' })).id);
    let turn = 0;
    const meanwhile = async () => {
      await server.send('pager', ids[turn++ % 7]!);
      await server.make('pager', { type: 'private' });
    };
    for (const limit of [2, 3]) {
      const met = (await walk<{ room: { id: string } }>('pager', '/me/rooms', limit, meanwhile)).map(({ room }) => room.id);
      expect(met.filter((id) => ids.includes(id))).toEqual(ids);
      expect(new Set(met).size).toBe(met.length);
    }
  });
});

describe('GET /v1/rooms/:room/members', () => {
  it('pages by user id, to everybody who may read', async () => {
    const users = ['Zoe', 'ada', 'b', 'é', '👍', `' OR 1=1 --`];
    const { id } = await server.make('own', { type: 'public', members: users });
    const expected = [...users, 'own'].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const user of ['own', 'guest']) {
      for (const limit of [1, 3, 7]) {
        expect((await walk<{ user: string }>(user, `/rooms/${id}/members`, limit)).map((member) => member.user)).toEqual(expected);
      }
    }
  });
});

describe('cursors', () => {
  const lists = async () => {
    const { id } = await server.make('cur', { type: 'public', members: ['a', 'b'] });
    const { id: other } = await server.make('cur', { type: 'private', members: ['a', 'b'] });
    for (const user of ['x', 'y']) await call('cur', 'put', `/rooms/${id}/bans/${user}`, {}).expect(200);
    return ['/rooms', '/rooms?q=a', '/me/rooms', `/rooms/${id}/members`, `/rooms/${other}/members`, `/rooms/${id}/bans`];
  };
  const ask = (user: string, path: string, cursor: string) =>
    call(user, 'get', `${path}${path.includes('?') ? '&' : '?'}limit=1&cursor=${encodeURIComponent(cursor)}`);

  it('hold for the list that they came from', async () => {
    for (let i = 0; i < 2; i++) await server.make('cur', { type: 'public', name: 'a' });
    const paths = await lists();
    for (const from of paths) {
      const { nextCursor } = (await call('cur', 'get', `${from}${from.includes('?') ? '&' : '?'}limit=1`).expect(200)).body;
      expect(nextCursor).toMatch(/^[\w-]+$/);
      for (const to of paths) {
        const { body } = await ask('cur', to, nextCursor).expect(to === from ? 200 : 400);
        if (to !== from) expect(body).toMatchObject({ code: 'validation_failed', details: [{ path: 'cursor' }] });
      }
      if (from === '/me/rooms') await ask('a', from, nextCursor).expect(400);
    }
  });

  it('are refused when they are anything else', async () => {
    const forged = (key: unknown[]) => Buffer.from(JSON.stringify(key)).toString('base64url');
    const garbage = [
      '',
      'x',
      '!!',
      'e30',
      forged([]),
      forged([null, null]),
      forged(['', randomUUID()]),
      'A'.repeat(3000),
      '\u0000',
      ...SQL,
    ];
    for (const path of await lists()) {
      const good = (await call('cur', 'get', `${path}${path.includes('?') ? '&' : '?'}limit=1`).expect(200)).body.nextCursor as
        string | null;
      const scope = good === null ? '' : (JSON.parse(Buffer.from(good, 'base64url').toString()) as string[])[0]!;
      const bent = [
        [scope],
        [scope, 7],
        [scope, `' OR 1=1`, 'x'],
        [scope, -1, randomUUID()],
        [scope, 9e15, randomUUID()],
        [scope, '\u0000'],
      ];
      for (const cursor of [...garbage, ...bent.map(forged), forged([scope, [randomUUID()]])]) {
        const { body } = await ask('cur', path, cursor).expect(400);
        expect(body).toMatchObject({ code: 'validation_failed', details: [{ path: 'cursor' }] });
      }
    }
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Sql } from '../../src/database/sql.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';

let server: ChatServer;
let room: string;
beforeAll(async () => {
  server = await ChatServer.start();
  room = await server.room('ann', 'private');
});
afterAll(() => server.close());

const post = (body: unknown, key = randomUUID()) =>
  server.http('ann', 'POST', `/v1/rooms/${room}/messages`, body, { 'idempotency-key': key });

function expectRefused(what: string, { status, text, body }: HttpAnswer): void {
  expect([what, status, text]).toEqual([what, 400, expect.stringContaining('"code":"validation_failed"')]);
  expect(Object.keys(body as object)).toEqual(expect.arrayContaining(['code', 'message', 'requestId']));
}

it('an idle connection is kept for longer than clients and proxies keep it', async () => {
  const { headers } = await server.http(null, 'GET', '/health/live');
  expect(headers.get('keep-alive')).toBe('timeout=75');
});

describe('bodies', () => {
  it('line 26: one over its limit is 413', async () => {
    const { status, body } = await post({ text: 'x', meta: { a: 'x'.repeat(300_000) } });
    expect([status, (body as { code: string }).code]).toEqual([413, 'payload_too_large']);
  });

  it('line 27: unknown fields are refused, in bodies and in queries', async () => {
    for (const field of ['sender', 'seq', 'threadOf', 'mentions', 'foo', '__proto__', 'constructor']) {
      expectRefused(field, await post(`{"text":"x","${field}":"y"}`));
      expectRefused(field, await server.http('ann', 'POST', '/v1/rooms', `{"type":"public","${field}":"y"}`));
      expectRefused(field, await server.http('ann', 'PATCH', `/v1/rooms/${room}`, `{"${field}":1}`));
      expectRefused(field, await server.http('ann', 'GET', `/v1/rooms/${room}/messages?${field}=1`));
      // Routes that take no query, or no body.
      expectRefused(field, await server.http('ann', 'GET', `/v1/me?${field}=1`));
      expectRefused(field, await server.http('ann', 'POST', `/v1/rooms/${room}/leave`, `{"${field}":1}`));
    }
    expect((await server.http('ann', 'GET', '/v1/me?')).status).toBe(200);
    expect((await server.http('ann', 'POST', '/v1/auth/tickets', {})).status).toBe(201);
  });

  it('line 28: a value of another type is 400, never a query', async () => {
    for (const text of [1, null, true, {}, [], { $ne: '' }, ['x'], { toString: 'x' }])
      expectRefused(JSON.stringify(text), await post({ text }));
    for (const meta of ['x', 1, null, [], true]) expectRefused(JSON.stringify(meta), await post({ text: 'x', meta }));
    for (const body of [[], [{ text: 'x' }], 'null', '1', '"x"', '']) expectRefused(JSON.stringify(body), await post(body));
    const rooms = [
      { type: 'secret' },
      { type: ['public'] },
      { type: 'public', name: { a: 1 } },
      { type: 'private', members: 'u1' },
      { type: 'private', members: [{ id: 'u1' }] },
      { type: 'private', members: [['u1']] },
      { type: 'private', members: { 0: 'u1', length: 1 } },
    ];
    for (const body of rooms) expectRefused(JSON.stringify(body), await server.http('ann', 'POST', '/v1/rooms', body));
    const queries = [
      'limit=ten',
      'limit=1e1',
      'limit=0x10',
      'limit=',
      'limit=-1',
      'limit=1.5',
      'limit=1&limit=2',
      'limit[gt]=1',
      'limit[]=1',
    ];
    queries.push('before=abc', 'before[]=1', 'before[$gt]=0', 'before=0', 'before=9007199254740992', 'before=1&after=1');
    for (const query of queries) expectRefused(query, await server.http('ann', 'GET', `/v1/rooms/${room}/messages?${query}`));
    for (const query of ['q[]=x', 'q[a]=x', 'q=a&q=b', 'cursor[]=x', 'cursor=a&cursor=b']) {
      expectRefused(query, await server.http('ann', 'GET', `/v1/rooms?${query}`));
    }
  });

  it('line 29: JSON 10,000 deep is 400, and the server is alive', async () => {
    const depth = 10_000;
    const objects = '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);
    const arrays = '['.repeat(depth) + ']'.repeat(depth);
    for (const deep of [objects, arrays]) {
      expectRefused('body', await post(deep));
      for (const field of ['text', 'meta', 'foo']) expectRefused(field, await post(`{"text":"x","${field}":${deep}}`));
      for (const field of ['meta', 'members', 'type']) {
        expectRefused(field, await server.http('ann', 'POST', '/v1/rooms', `{"type":"private","${field}":${deep}}`));
      }
    }
    expect((await server.http('ann', 'GET', '/v1/me')).status).toBe(200);
  });

  it('line 30: the keys __proto__ and constructor change nothing', async () => {
    for (const body of [
      '{"__proto__":{"text":"x"}}',
      '{"text":"x","__proto__":{"polluted":1}}',
      '{"text":"x","constructor":{"prototype":{"polluted":1}}}',
    ]) {
      expectRefused(body, await post(body));
    }
    const meta = '{"__proto__":{"polluted":1}}';
    const refused = await post(`{"text":"x","meta":${meta}}`);
    expectRefused(meta, refused);
    expect((refused.body as { details: unknown }).details).toEqual([{ path: 'meta.__proto__', message: 'is not a name that can be used' }]);
    expectRefused('query', await server.http('ann', 'GET', '/v1/rooms?__proto__[polluted]=1'));
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('line 31: U+0000 and lone surrogates are 400', async () => {
    for (const bad of ['\\u0000', 'a\\u0000b', '\\ud800', 'x\\udfff']) {
      expectRefused(bad, await post(`{"text":"${bad}"}`));
      expectRefused(bad, await post(`{"text":"x","meta":{"k":"${bad}"}}`));
      expectRefused(bad, await post(`{"text":"x","meta":{"${bad}":1}}`));
      for (const field of ['name', 'topic']) {
        expectRefused(bad, await server.http('ann', 'POST', '/v1/rooms', `{"type":"public","${field}":"${bad}"}`));
        expectRefused(bad, await server.http('ann', 'PATCH', `/v1/rooms/${room}`, `{"${field}":"${bad}"}`));
      }
      expectRefused(bad, await server.http('ann', 'POST', '/v1/rooms', `{"type":"private","members":["${bad}"]}`));
      expectRefused(bad, await server.http(null, 'POST', '/v1/auth/register', `{"username":"abc","password":"long enough ${bad}"}`));
    }
    for (const path of [
      '/v1/rooms?q=%00',
      '/v1/rooms?cursor=%00',
      '/v1/users?ids=%00',
      `/v1/rooms/%00`,
      `/v1/rooms/${room}/messages/%00`,
    ]) {
      expectRefused(path, await server.http('ann', 'GET', path));
    }
    expectRefused('member', await server.http('ann', 'PUT', `/v1/rooms/${room}/members/%00`, { role: 'member' }));
    // A surrogate in UTF-8 is no character: it must end in a clean answer.
    expect((await server.http('ann', 'GET', '/v1/rooms?q=%ED%A0%80')).status).toBeLessThan(500);
  });
});

describe('line 32: SQL metacharacters', () => {
  const INJECTIONS = [
    "'",
    "''",
    "' OR '1'='1",
    "'; DROP TABLE messages; --",
    '"',
    '\\',
    "\\' OR 1=1 --",
    '%',
    '_',
    '$1',
    '*',
    ') UNION SELECT * FROM users --',
  ];

  it('line 32: have no effect in a search: they are looked for as they are', async () => {
    for (const name of ['plain', ...INJECTIONS.map((text) => `room ${text}`)]) {
      expect((await server.http('ann', 'POST', '/v1/rooms', { type: 'public', name })).status).toBe(201);
    }
    const found = async (search: string) => {
      const { status, body } = await server.http('bob', 'GET', `/v1/rooms?limit=200&q=${encodeURIComponent(search)}`);
      expect(status).toBe(200);
      return (body as { items: { name: string }[] }).items.map(({ name }) => name).sort();
    };
    const names = await found('room');
    for (const text of INJECTIONS) expect(await found(text)).toEqual(names.filter((name) => name.includes(text)));
  });

  it('line 32: have no effect in ids, seqs, sorts and cursors', async () => {
    for (const text of INJECTIONS) {
      const encoded = encodeURIComponent(text);
      expectRefused(text, await server.http('ann', 'GET', `/v1/rooms/${encoded}`));
      expectRefused(text, await server.http('ann', 'GET', `/v1/rooms?cursor=${encoded}`));
      expectRefused(text, await server.http('ann', 'GET', `/v1/rooms?sort=${encoded}`));
      expectRefused(text, await server.http('ann', 'GET', `/v1/rooms/${room}/messages?before=${encoded}`));
      expectRefused(text, await server.http('ann', 'GET', `/v1/rooms/${room}/messages/${encoded}`));
      const forged = Buffer.from(JSON.stringify(['public', text, text])).toString('base64url');
      expectRefused(text, await server.http('ann', 'GET', `/v1/rooms?cursor=${forged}`));
      const { status, body } = await server.http('ann', 'GET', `/v1/users?ids=${encoded}`);
      expect([text, status, body]).toEqual([text, 200, { items: [], nextCursor: null }]);
      const login = { username: text, password: text };
      expect((await server.http(null, 'POST', '/v1/auth/login', login)).status).toBe(401);
    }
  });

  it('line 32: are stored as they are, in texts, keys and names of users', async () => {
    const client = await server.connect('ann');
    for (const text of INJECTIONS) {
      const { seq } = (await client.command('message.send', { room, clientId: text, text, meta: { [text]: text } })) as { seq: number };
      const { body } = await server.http('ann', 'GET', `/v1/rooms/${room}/messages/${seq}`);
      expect(body).toMatchObject({ seq, clientId: text, text, meta: { [text]: text }, sender: 'ann' });
      expect((await server.http('ann', 'PUT', `/v1/rooms/${room}/members/${encodeURIComponent(text)}`, { role: 'member' })).status).toBe(
        200,
      );
      const member = await server.connect(text);
      expect(await member.command('room.subscribe', { room })).toMatchObject({ role: 'member' });
      await member.close();
    }
    await client.close();
  });
});

describe('line 34: caps', () => {
  it('line 34: a connection follows 200 rooms and no more', async () => {
    const make = {
      name: 'hostile_many_rooms',
      text: `INSERT INTO rooms (id, type, epoch, member_count, created_by)
        SELECT gen_random_uuid(), 'public', 'e1', 0, 'maker' FROM generate_series(1, 203) RETURNING id`,
    };
    const ids = (await server.get(Sql).query<{ id: string }>(make, [])).map(({ id }) => id);
    const client = await server.connect('collector');
    for (let from = 0; from < 150; from += 50) {
      await client.command('rooms.subscribe', { rooms: ids.slice(from, from + 50).map((id) => ({ room: id })) });
    }
    // All at once: what is being opened counts.
    const rest = ids.slice(150).map((id) =>
      client.command('room.subscribe', { room: id }).then(
        () => 'ack',
        (error: { code: string }) => error.code,
      ),
    );
    const outcomes = await Promise.all(rest);
    expect(outcomes.filter((outcome) => outcome === 'ack')).toHaveLength(50);
    expect(outcomes.filter((outcome) => outcome === 'conflict')).toHaveLength(3);
    await client.command('room.subscribe', { room: ids[0] }); // one that it follows already
    await client.command('room.unsubscribe', { room: ids[0] });
    await client.command('room.subscribe', { room: ids[202] });
    await expect(client.command('room.subscribe', { room: ids[0] })).rejects.toMatchObject({ code: 'conflict' });
    const tooMany = ids.slice(0, 51).map((id) => ({ room: id }));
    await expect(client.command('rooms.subscribe', { rooms: tooMany })).rejects.toMatchObject({ code: 'validation_failed' });
    await client.close();
  });

  it('line 34: a page has its largest size', async () => {
    const client = await server.connect('ann');
    for (const limit of [0, 201, 1e9]) {
      await expect(client.command('history.get', { room, limit })).rejects.toMatchObject({ code: 'validation_failed' });
      for (const path of [
        `/v1/rooms/${room}/messages`,
        `/v1/rooms/${room}/members`,
        '/v1/rooms',
        '/v1/me/rooms',
        `/v1/rooms/${room}/bans`,
      ]) {
        expectRefused(path, await server.http('ann', 'GET', `${path}?limit=${limit}`));
      }
    }
    expectRefused('events', await server.http('ann', 'GET', `/v1/rooms/${room}/events?after=0&limit=501`));
    expectRefused('users', await server.http('ann', 'GET', `/v1/users?ids=${Array.from({ length: 1_000 }, (_, i) => `u${i}`).join(',')}`));
    expectRefused(
      'members',
      await server.http('ann', 'POST', '/v1/rooms', { type: 'private', members: Array.from({ length: 201 }, (_, i) => `u${i}`) }),
    );
    expect(await client.command('history.get', { room, limit: 200 })).toMatchObject({ hasAfter: false });
    await client.close();
  });
});

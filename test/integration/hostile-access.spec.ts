import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { ChatClient, Frame } from '../support/chat-client.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';

let server: ChatServer;
beforeAll(async () => {
  server = await ChatServer.start();
});
afterAll(() => server.close());

const COMMANDS: [string, object][] = [
  ['room.subscribe', {}],
  ['room.subscribe', { since: { epoch: 'e', seq: 0 } }],
  ['message.send', { clientId: 'c', text: 'x' }],
  ['typing.start', {}],
  ['typing.stop', {}],
  ['presence.watch', {}],
  ['history.get', {}],
  ['history.get', { around: 1 }],
  ['read.set', { seq: 1 }],
  ['room.join', {}],
  ['room.leave', {}],
  ['message.edit', { seq: 1, text: 'y' }],
  ['message.delete', { seq: 1 }],
  ['message.delete', { seq: 999 }],
];

const ROUTES: [string, string, object?, Record<string, string>?][] = [
  ['GET', ''],
  ['PATCH', '', { name: 'mine' }],
  ['PATCH', '', { archived: true }],
  ['DELETE', ''],
  ['POST', '/join'],
  ['POST', '/leave'],
  ['GET', '/members'],
  ['GET', '/members?limit=1'],
  ['PUT', '/members/stranger', { role: 'owner' }],
  ['DELETE', '/members/owner'],
  ['DELETE', '/members/stranger'],
  ['GET', '/bans'],
  ['PUT', '/bans/owner', {}],
  ['DELETE', '/bans/stranger'],
  ['GET', '/messages'],
  ['GET', '/messages?after=0'],
  ['POST', '/messages', { text: 'x' }, { 'idempotency-key': 'k' }],
  ['GET', '/messages/1'],
  ['PATCH', '/messages/1', { text: 'y' }],
  ['DELETE', '/messages/1'],
  ['PUT', '/read', { seq: 1 }],
  ['GET', '/events?after=0'],
];

/** The bytes of each command's answer, but for the id. */
async function answers(client: ChatClient, room: string): Promise<string[]> {
  const texts: string[] = [];
  for (const [event, data] of COMMANDS) {
    const came = new Promise<string>((resolve) => client.socket.once('message', (bytes: Buffer) => resolve(bytes.toString())));
    client.raw(JSON.stringify({ id: 77, event, data: { room, ...data } }));
    texts.push(`${event} ${await came}`);
  }
  const { rooms } = (await client.command('rooms.subscribe', { rooms: [{ room }] })) as { rooms: { error: object }[] };
  texts.push(JSON.stringify(rooms[0]!.error));
  return texts;
}

async function restAnswers(user: string, room: string): Promise<string[]> {
  const texts: string[] = [];
  for (const [method, path, body, headers] of ROUTES) {
    const answer = await server.http(user, method, `/v1/rooms/${room}${path}`, body, { ...headers, 'x-request-id': 'same' });
    const told = [...answer.headers].filter(([name]) => name !== 'date');
    texts.push(`${method} ${path} ${answer.status} ${JSON.stringify(told)} ${answer.text}`);
  }
  return texts;
}

const code = ({ status, body }: HttpAnswer) => [status, (body as { code?: string } | undefined)?.code];

describe('line 18: to a stranger, a private room and no room are the same', () => {
  it.each(['private', 'direct'] as const)('line 18: a %s room, over the socket and over REST, byte for byte', async (type) => {
    const room = await server.room('owner', type, ['friend', ...(type === 'private' ? ['kicked', 'banned'] : [])]);
    await server.http('owner', 'POST', `/v1/rooms/${room}/messages`, { text: 'secret' }, { 'idempotency-key': 'first' });
    const strangers = ['stranger'];
    if (type === 'private') {
      await server.kick('owner', room, 'kicked');
      expect((await server.http('owner', 'PUT', `/v1/rooms/${room}/bans/banned`, {})).status).toBe(200);
      strangers.push('kicked', 'banned');
    }
    for (const user of strangers) {
      const client = await server.connect(user);
      const ofNone = await answers(client, randomUUID());
      for (const text of ofNone) expect(text).toContain('"code":"not_found","message":"There is no such room."');
      expect(await answers(client, room)).toEqual(ofNone);
      const restOfNone = await restAnswers(user, randomUUID());
      for (const text of restOfNone) expect(text).toContain('{"code":"not_found","message":"There is no such room.","requestId":"same"}');
      expect(await restAnswers(user, room)).toEqual(restOfNone);
      await client.close();
    }
    // It is the stranger, not the room: a member is answered otherwise.
    const member = await server.connect('friend');
    for (const text of (await answers(member, room)).slice(0, 1)) expect(text).toContain('"event":"ack"');
    await member.close();
  });

  it('line 18: a public room is read by a non-member, and nothing else', async () => {
    const room = await server.room('owner', 'public');
    await server.http('owner', 'POST', `/v1/rooms/${room}/messages`, { text: 'open' }, { 'idempotency-key': 'first' });
    const guest = await server.connect('guest');
    expect(await guest.command('room.subscribe', { room })).toMatchObject({ role: null, headSeq: 1 });
    expect(await guest.command('history.get', { room })).toMatchObject({ headSeq: 1 });
    expect((await server.http('guest', 'GET', `/v1/rooms/${room}/events?after=0`)).status).toBe(200);
    for (const [event, data] of COMMANDS) {
      if (['room.subscribe', 'history.get', 'room.join', 'room.leave'].includes(event)) continue;
      await expect(guest.command(event, { room, ...data })).rejects.toMatchObject({ code: 'forbidden' });
    }
    const other = [{ text: 'x' }, { 'idempotency-key': 'k' }] as const;
    expect(code(await server.http('guest', 'POST', `/v1/rooms/${room}/messages`, ...other))).toEqual([403, 'forbidden']);
    await guest.close();
  });

  it('line 18: users are not told of private rooms in any list', async () => {
    const room = await server.room('owner', 'private');
    for (const path of ['/v1/rooms?limit=200', '/v1/me/rooms?limit=200']) {
      expect((await server.http('lister', 'GET', path)).text).not.toContain(room);
    }
  });
});

describe("line 19: another room's seq or cursor", () => {
  it('line 19: reads nothing of that room', async () => {
    const theirs = await server.room('owner', 'private');
    for (let i = 1; i <= 5; i++) {
      await server.http('owner', 'POST', `/v1/rooms/${theirs}/messages`, { text: `secret ${i}` }, { 'idempotency-key': `k${i}` });
    }
    const mine = await server.room('mallory', 'private', ['m1', 'm2']);
    await server.http('mallory', 'POST', `/v1/rooms/${mine}/messages`, { text: 'own' }, { 'idempotency-key': 'own' });
    const client = await server.connect('mallory');
    const epoch = ((await server.http('owner', 'GET', `/v1/rooms/${theirs}`)).body as { epoch: string }).epoch;
    const texts: unknown[] = [];
    for (const place of [{ before: 6 }, { after: 0 }, { around: 5 }])
      texts.push(await client.command('history.get', { room: mine, ...place }));
    texts.push(await client.command('room.subscribe', { room: mine, since: { epoch, seq: 0 } }));
    texts.push((await server.http('mallory', 'GET', `/v1/rooms/${mine}/events?after=0`)).body);
    expect(JSON.stringify(texts)).not.toContain('secret');
    for (const seq of [2, 5]) {
      await expect(client.command('message.edit', { room: mine, seq, text: 'x' })).rejects.toMatchObject({ code: 'not_found' });
      await expect(client.command('message.delete', { room: mine, seq })).rejects.toMatchObject({ code: 'not_found' });
      expect(code(await server.http('mallory', 'GET', `/v1/rooms/${mine}/messages/${seq}`))).toEqual([404, 'not_found']);
    }
    const { nextCursor } = (await server.http('mallory', 'GET', `/v1/rooms/${mine}/members?limit=1`)).body as { nextCursor: string };
    expect(nextCursor).not.toBeNull();
    const refused = await server.http('mallory', 'GET', `/v1/rooms/${theirs}/members?cursor=${nextCursor}`);
    expect(code(refused)).toEqual([404, 'not_found']);
    const another = await server.room('mallory', 'private', ['m3']);
    for (const path of [`/v1/rooms/${another}/members`, '/v1/rooms', '/v1/me/rooms', `/v1/rooms/${mine}/bans`]) {
      expect(code(await server.http('mallory', 'GET', `${path}?cursor=${nextCursor}`))).toEqual([400, 'validation_failed']);
    }
    await client.close();
  });
});

describe('line 21: roles', () => {
  it("line 21: nobody edits another's message; owners and moderators delete it, members do not", async () => {
    const room = await server.room('owner', 'private', ['mod', 'writer', 'reader']);
    await server.http('owner', 'PUT', `/v1/rooms/${room}/members/mod`, { role: 'moderator' });
    const clients = new Map<string, ChatClient>();
    for (const user of ['owner', 'mod', 'writer', 'reader']) clients.set(user, await server.connect(user));
    const write = async (clientId: string) =>
      ((await clients.get('writer')!.command('message.send', { room, clientId, text: 'mine' })) as { seq: number }).seq;
    const seq = await write('a');
    for (const user of ['owner', 'mod', 'reader']) {
      const edit = clients.get(user)!.command('message.edit', { room, seq, text: 'forged' });
      await expect(edit).rejects.toMatchObject({ code: 'forbidden' });
      const path = `/v1/rooms/${room}/messages/${seq}`;
      expect(code(await server.http(user, 'PATCH', path, { text: 'forged' }))).toEqual([403, 'forbidden']);
    }
    await expect(clients.get('reader')!.command('message.delete', { room, seq })).rejects.toMatchObject({ code: 'forbidden' });
    expect(code(await server.http('reader', 'DELETE', `/v1/rooms/${room}/messages/${seq}`))).toEqual([403, 'forbidden']);
    const { body } = await server.http('reader', 'GET', `/v1/rooms/${room}/messages/${seq}`);
    expect(body).toMatchObject({ text: 'mine', sender: 'writer', version: 1, deletedAt: null });
    for (const user of ['mod', 'owner', 'writer']) {
      await clients.get(user)!.command('message.delete', { room, seq: await write(`for ${user}`) });
    }
    for (const client of clients.values()) await client.close();
  });

  it("line 22: a message's sender is the token's, over REST too", async () => {
    const room = await server.room('owner', 'public', ['writer']);
    for (const field of ['sender', 'role', 'seq', 'clientId', 'userId']) {
      const body = { text: 'x', [field]: 'owner' };
      const answer = await server.http('writer', 'POST', `/v1/rooms/${room}/messages`, body, { 'idempotency-key': 'k' });
      expect(code(answer)).toEqual([400, 'validation_failed']);
    }
    const { body } = await server.http('writer', 'POST', `/v1/rooms/${room}/messages`, { text: 'x' }, { 'idempotency-key': 'k' });
    expect(body).toMatchObject({ sender: 'writer' });
  });
});

describe('line 25: room broadcasts', () => {
  it('line 25: have nothing personal in them', async () => {
    const personal = { name: 'Prudence Private', roles: ['vip-role'], sid: 'sid-of-hers', jti: 'jti-of-hers' };
    const room = await server.room('owner', 'public', ['watcher']);
    const watcher = await server.connect('watcher');
    await watcher.command('room.subscribe', { room });
    await watcher.command('presence.watch', { room });
    const her = await server.connect('prudence', { token: server.test.token('prudence', personal) });
    await her.command('room.join', { room });
    await her.command('presence.set', { status: 'busy' });
    await her.command('typing.start', { room });
    const { seq } = (await her.command('message.send', { room, clientId: 'c', text: 'hello' })) as { seq: number };
    await her.command('message.edit', { room, seq, text: 'hi' });
    await her.command('message.delete', { room, seq });
    await her.command('read.set', { room, seq });
    await watcher.seen(({ event, data }) => event === 'read.updated' && (data as { user: string }).user === 'prudence');
    await watcher.seen(({ event, data }) => event === 'presence.changed' && (data as { status: string }).status === 'busy');
    await her.command('room.leave', { room });
    await watcher.seen(({ event }) => event === 'member.left');
    const message = ['clientId', 'createdAt', 'deletedAt', 'editedAt', 'lastSeq', 'meta', 'sender', 'seq', 'text', 'version'];
    const shapes: Record<string, string[]> = {
      'member.joined': ['by', 'role', 'user'],
      'member.left': ['by', 'role', 'user'],
      'message.created': message,
      'message.updated': message,
      'message.deleted': message,
      typing: ['active', 'user'],
      'read.updated': ['seq', 'user'],
      'presence.changed': ['lastSeenAt', 'status', 'user'],
    };
    const about = watcher.frames.filter(({ event, id }: Frame) => id === undefined && event !== 'hello');
    for (const { event, data } of about) expect([event, Object.keys(data as object).sort()]).toEqual([event, shapes[event]]);
    expect(new Set(about.map(({ event }) => event))).toEqual(new Set(Object.keys(shapes)));
    const all = JSON.stringify(watcher.frames);
    for (const secret of ['Prudence Private', 'vip-role', 'sid-of-hers', 'jti-of-hers', '127.0.0.1', her.frames[0]!.data.connectionId]) {
      expect(all).not.toContain(secret);
    }
    for (const client of [watcher, her]) await client.close();
  });
});

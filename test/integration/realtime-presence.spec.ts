import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ChatClient, type Frame } from '../support/chat-client.js';
import { startTestApp, type TestApp } from '../support/test-app.js';

describe('what is not in the log, over the socket', () => {
  let server: TestApp;
  let made = 0;
  beforeAll(async () => {
    server = await startTestApp();
  });
  afterAll(() => server.close());

  const rest = (user: string, method: string, path: string, body?: object, claims?: Record<string, unknown>) =>
    fetch(`${server.url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${server.token(user, claims)}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });

  /** A private room of two users of its own, each with a socket. */
  async function pair() {
    const [ann, bob] = [`ann${++made}`, `bob${made}`];
    const response = await rest(ann, 'POST', '/rooms', { type: 'private', members: [bob] });
    const { id: room } = (await response.json()) as { id: string };
    const [one, two] = [await connect(ann), await connect(bob)];
    return { room, ann, bob, one, two, end: () => Promise.all([one.close(), two.close()]) };
  }

  const connect = (user: string) => ChatClient.connect(server.wsUrl, { token: server.token(user) });
  const of = (event: string, user: string) => (frame: Frame) => frame.event === event && frame.data.user === user;

  it('shows who is there to who watches, each change, and when one was last seen', async () => {
    const { room, ann, bob, one, two, end } = await pair();
    const watched = await one.command('presence.watch', { room });
    expect(watched).toMatchObject({ count: 2, truncated: false });
    expect(watched.users).toEqual(expect.arrayContaining([{ user: bob, status: 'online', lastSeenAt: null }]));
    await two.command('presence.set', { status: 'busy' });
    expect((await one.seen(of('presence.changed', bob))).data).toEqual({ user: bob, status: 'busy', lastSeenAt: null });
    const hidden = one.next(of('presence.changed', bob));
    await two.command('presence.set', { status: 'invisible' });
    expect((await hidden).data).toMatchObject({ status: 'offline', lastSeenAt: expect.any(String) as unknown });
    expect(await two.command('presence.watch', { room })).toMatchObject({ count: 1 });
    const shown = one.next(of('presence.changed', bob));
    await two.command('presence.set', { status: 'online' });
    await shown;
    const gone = one.next(of('presence.changed', bob));
    await two.close();
    expect((await gone).data).toMatchObject({ user: bob, status: 'offline' });
    await expect(two.closed).resolves.toMatchObject({ code: 1000 });
    expect(one.frames.some(of('presence.changed', ann))).toBe(false);
    await end();
  });

  it('tells of typing until the message, and not the typist', async () => {
    const { room, ann, one, two, end } = await pair();
    for (const client of [one, two]) await client.command('room.subscribe', { room });
    await one.command('typing.start', { room });
    expect((await two.seen(of('typing', ann))).data).toEqual({ user: ann, active: true });
    const stopped = two.next(of('typing', ann));
    await one.command('message.send', { room, clientId: 'c1', text: 'there' });
    expect((await stopped).data).toEqual({ user: ann, active: false });
    expect(one.frames.some(({ event }) => event === 'typing')).toBe(false);
    await end();
  });

  it("tells of a read mark the user's other device at once, and the room soon", async () => {
    const { room, ann, one, two, end } = await pair();
    const device = await connect(ann);
    for (const client of [one, two]) await client.command('room.subscribe', { room });
    const { seq } = await two.command('message.send', { room, clientId: 'c1', text: 'read this' });
    expect(await one.command('read.set', { room, seq: 0 })).toEqual({ readSeq: 0, unread: 1 });
    expect(await one.command('read.set', { room, seq: 99 })).toEqual({ readSeq: seq, unread: 0 });
    for (const client of [device, two]) {
      await client.seen(
        (frame) => frame.event === 'read.updated' && frame.data.user === ann && frame.data.seq === seq && frame.room === room,
      );
    }
    await device.close();
    await end();
  });

  it('tells a user of rooms that he came into and lost, and everybody of a notice', async () => {
    const { room, ann, two, one, end } = await pair();
    const cid = await connect(`cid${made}`);
    await rest(ann, 'PUT', `/rooms/${room}/members/cid${made}`, { role: 'member' });
    expect((await cid.seen(({ event }) => event === 'room.added')).data).toMatchObject({ room: { id: room }, role: 'member' });
    await rest(ann, 'DELETE', `/rooms/${room}/members/cid${made}`);
    expect((await cid.seen(({ event }) => event === 'room.removed')).data).toEqual({ room, reason: 'kicked' });
    const answer = await rest('root', 'POST', '/admin/notices', { text: 'Back soon', level: 'warning' }, { roles: ['admin'] });
    expect(answer.ok).toBe(true);
    for (const client of [one, two, cid]) {
      expect((await client.seen(({ event }) => event === 'notice')).data).toEqual({ text: 'Back soon', level: 'warning' });
    }
    await cid.close();
    await end();
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChatClient, Frame } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { timed } from '../support/stopwatch.js';

describe('typing', () => {
  let server: ChatServer;
  let room: string;
  let ann: ChatClient;
  let phone: ChatClient;
  let bob: ChatClient;
  let cid: ChatClient;
  let made = 0;

  beforeAll(async () => {
    server = await ChatServer.start();
  });
  afterAll(() => server.close());

  const name = (who: string) => `${who}${made}`;
  const typing = (who: string, active?: boolean) => (frame: Frame) =>
    frame.event === 'typing' && frame.data.user === name(who) && (active === undefined || frame.data.active === active);

  beforeEach(async () => {
    made++;
    room = await server.room(name('ann'), 'private', [name('bob'), name('cid')]);
    [ann, phone, bob, cid] = (await Promise.all(['ann', 'ann', 'bob', 'cid'].map((who) => server.connect(name(who))))) as [
      ChatClient,
      ChatClient,
      ChatClient,
      ChatClient,
    ];
    for (const client of [ann, phone, bob, cid]) await client.command('room.subscribe', { room });
  });

  it('is told to the others once, and not to the typist on any of his connections', async () => {
    for (let times = 0; times < 3; times++) await ann.command('typing.start', { room });
    await ann.command('typing.stop', { room });
    const frame = await bob.seen(typing('ann', false));
    expect(frame).toEqual({ event: 'typing', room, data: { user: name('ann'), active: false } });
    expect(bob.frames.filter(typing('ann')).map(({ data }) => data.active as boolean)).toEqual([true, false]);
    await bob.command('typing.start', { room });
    for (const client of [ann, phone]) {
      await client.seen(typing('bob', true));
      expect(client.frames.some(typing('ann'))).toBe(false);
    }
  });

  it('lapses after six seconds', async () => {
    const before = performance.now();
    await ann.command('typing.start', { room });
    const { waitedMs } = await timed(bob.seen(typing('ann', false)));
    expect(performance.now() - before).toBeGreaterThan(5_900);
    expect(waitedMs).toBeLessThan(7_000);
    expect(bob.frames.filter(typing('ann')).map(({ data }) => data.active as boolean)).toEqual([true, false]);
  });

  it('ends by a message, from whichever device, and by the close of the socket', async () => {
    await ann.command('typing.start', { room });
    await phone.command('message.send', { room, clientId: 'c', text: 'hi' });
    await bob.seen(typing('ann', false));
    const again = bob.next(typing('ann', true));
    await ann.command('typing.start', { room });
    await again;
    const end = bob.next(typing('ann', false));
    await ann.terminate();
    await end;
  });

  it('goes on while it is typed on another device', async () => {
    await ann.command('typing.start', { room });
    await phone.command('typing.start', { room });
    await ann.command('typing.stop', { room });
    // Told after the stop, to the same socket.
    await cid.command('typing.start', { room });
    await bob.seen(typing('cid', true));
    expect(bob.frames.some(typing('ann', false))).toBe(false);
    await phone.command('typing.stop', { room });
    await bob.seen(typing('ann', false));
  });

  it('of an invisible user is told to nobody, and hiding ends it', async () => {
    await ann.command('typing.start', { room });
    await bob.seen(typing('ann', true));
    await ann.command('presence.set', { status: 'invisible' });
    await bob.seen(typing('ann', false));
    const heard = bob.frames.filter(typing('ann')).length;
    expect(await ann.command('typing.start', { room })).toEqual({});
    await cid.command('typing.start', { room });
    await bob.seen(typing('cid', true));
    expect(bob.frames.filter(typing('ann'))).toHaveLength(heard);
  });

  it('ends with the typist being kicked, who is refused then', async () => {
    await bob.command('typing.start', { room });
    await cid.seen(typing('bob', true));
    await server.kick(name('ann'), room, name('bob'));
    await cid.seen(typing('bob', false));
    await expect(bob.command('typing.start', { room })).rejects.toMatchObject({ code: 'not_found' });
    await ann.command('typing.start', { room });
    await cid.seen(typing('ann', true));
    expect(bob.frames.some(typing('ann'))).toBe(false);
  });
});

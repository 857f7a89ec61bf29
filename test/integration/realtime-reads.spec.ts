import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChatClient, Frame } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';

describe('read marks', () => {
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
  const read = (who: string, seq?: number) => (frame: Frame) =>
    frame.event === 'read.updated' && frame.data.user === name(who) && (seq === undefined || frame.data.seq === seq);
  const seqsOf = (client: ChatClient, who: string) => client.frames.filter(read(who)).map(({ data }) => data.seq as number);

  beforeEach(async () => {
    made++;
    room = await server.room(name('ann'), 'private', [name('bob'), name('cid')]);
    [ann, phone, bob, cid] = (await Promise.all(['ann', 'ann', 'bob', 'cid'].map((who) => server.connect(name(who))))) as [
      ChatClient,
      ChatClient,
      ChatClient,
      ChatClient,
    ];
    for (const client of [bob, cid]) await client.command('room.subscribe', { room });
    for (let n = 1; n <= 10; n++) await bob.command('message.send', { room, clientId: `c${n}`, text: `${n}` });
  });

  it("are told each to the user's own connections, which need not follow the room, and together to the room", async () => {
    const before = performance.now();
    for (let seq = 1; seq <= 10; seq++) expect(await ann.command('read.set', { room, seq })).toEqual({ readSeq: seq, unread: 10 - seq });
    const frame = await bob.seen(read('ann', 10));
    expect(frame).toEqual({ event: 'read.updated', room, data: { user: name('ann'), seq: 10 } });
    for (const client of [ann, phone]) expect(seqsOf(client, 'ann')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    // Half a second a window, and of each window the last only, however slow the machine is.
    const heard = seqsOf(bob, 'ann');
    expect(heard.length).toBeLessThanOrEqual((performance.now() - before) / 490);
    expect(heard).toEqual([...heard].sort((one, other) => one - other));
  });

  it('never go back, and are clamped to the head; what moves nothing is not told', async () => {
    expect(await ann.command('read.set', { room, seq: 999 })).toEqual({ readSeq: 10, unread: 0 });
    expect(await ann.command('read.set', { room, seq: 3 })).toEqual({ readSeq: 10, unread: 0 });
    await cid.command('read.set', { room, seq: 5 });
    await bob.seen(read('cid', 5));
    await bob.seen(read('ann', 10));
    expect(seqsOf(phone, 'ann')).toEqual([10]);
    expect(seqsOf(bob, 'ann')).toEqual([10]);
    expect(await ann.command('room.subscribe', { room })).toMatchObject({ readSeq: 10 });
  });

  it('of an invisible user are told to his own connections only', async () => {
    await ann.command('presence.set', { status: 'invisible' });
    await ann.command('read.set', { room, seq: 4 });
    await phone.seen(read('ann', 4));
    // Told in the same window or a later one.
    await cid.command('read.set', { room, seq: 6 });
    await bob.seen(read('cid', 6));
    expect(seqsOf(bob, 'ann')).toEqual([]);
  });

  it('begin at the head for who is added', async () => {
    await server.http(name('ann'), 'PUT', `/v1/rooms/${room}/members/${name('dan')}`, { role: 'member' });
    const dan = await server.connect(name('dan'));
    expect(await dan.command('room.subscribe', { room })).toMatchObject({ readSeq: 11, headSeq: 11 });
    await bob.command('message.send', { room, clientId: 'later', text: 'new' });
    expect(await dan.command('read.set', { room, seq: 1 })).toEqual({ readSeq: 11, unread: 1 });
  });
});

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { JwtGuard } from '../../src/auth/jwt.guard.js';
import { ChatClient } from '../support/chat-client.js';
import { startTestApp, type TestApp } from '../support/test-app.js';

describe('chat in a room', () => {
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp();
  });
  afterAll(() => server.close());

  const connect = (user: string) => ChatClient.connect(server.wsUrl, { token: server.token(user) });

  async function makeRoom(owner: string, body: object): Promise<string> {
    const response = await fetch(`${server.url}/v1/rooms`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token(owner)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(201);
    return ((await response.json()) as { id: string }).id;
  }

  it('gives what one says to the others, once and in order, and keeps it', async () => {
    const room = await makeRoom('ann', { type: 'private', name: 'two', members: ['bob'] });
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    for (const client of [ann, bob]) {
      expect(await client.command('room.subscribe', { room })).toMatchObject({ room, headSeq: 0, recovered: false, events: [] });
    }
    const acks = await Promise.all(
      Array.from({ length: 200 }, (_, i) => (i % 2 ? ann : bob).command('message.send', { room, clientId: `c${i}`, text: `m${i}` })),
    );
    expect(acks.map(({ seq }) => seq as number).sort((x, y) => x - y)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    for (const client of [ann, bob]) {
      await client.seen(({ seq }) => seq === 200);
      expect(client.events(room).map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    }
    const history = await ann.command('history.get', { room, limit: 200 });
    expect(history.messages.map(({ text }: { text: string }) => text)).toEqual(
      bob.events(room).map(({ data }) => (data as { text: string }).text),
    );
    await Promise.all([ann.close(), bob.close()]);
  });

  it('replays what was missed on a subscribe with since', async () => {
    const room = await makeRoom('ann', { type: 'public', name: 'open' });
    const ann = await connect('ann');
    const { epoch } = await ann.command('room.subscribe', { room });
    for (let i = 1; i <= 5; i++) await ann.command('message.send', { room, clientId: `c${i}`, text: `m${i}` });
    const eve = await connect('eve');
    const ack = await eve.command('room.subscribe', { room, since: { epoch, seq: 2 } });
    expect(ack).toMatchObject({ recovered: true, headSeq: 5, role: null });
    expect(ack.events).toEqual(ann.events(room).slice(2));
    await Promise.all([ann.close(), eve.close()]);
  });

  it('ends a subscription at the kick: the event, then room.closed, then nothing', async () => {
    const room = await makeRoom('ann', { type: 'private', members: ['bob'] });
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    await bob.command('room.subscribe', { room });
    const response = await fetch(`${server.url}/v1/rooms/${room}/members/bob`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${server.token('ann')}` },
    });
    expect(response.ok).toBe(true);
    await ann.command('message.send', { room, clientId: 'after', text: 'he is gone' });
    await bob.seen(({ event }) => event === 'room.removed');
    expect(bob.frames.slice(2).map(({ event }) => event)).toEqual(['member.left', 'room.closed', 'room.removed']);
    await expect(bob.command('room.subscribe', { room })).rejects.toMatchObject({ code: 'not_found' });
    await Promise.all([ann.close(), bob.close()]);
  });

  it('asks the one guard for each command, once', async () => {
    const guard = jest.spyOn(JwtGuard.prototype, 'canActivate');
    const ann = await connect('ann');
    await ann.command('ping');
    expect(guard).toHaveBeenCalledTimes(1);
    guard.mockRestore();
    await ann.close();
  });
});

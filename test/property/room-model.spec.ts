import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type ChatClient, CommandError } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { type Expected, RoomModel } from '../support/room-model.js';
import { propertySeed } from '../support/seeded.js';

const user = fc.constantFrom('ann', 'bob');
const text = fc.constantFrom('one', 'two', 'three');
const seq = fc.integer({ min: 1, max: 12 });
const kind = <K extends string>(name: K) => fc.constant(name);

const act = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: kind('join'), user }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('add'), user }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('leave'), user }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('kick'), user }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('subscribe'), user, since: fc.option(fc.nat(15)) }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('send'), user, text }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('edit'), user, text, seq }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('delete'), user, seq }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('read'), user, seq: fc.nat(20) }) },
);
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never;

describe('a room', () => {
  let server: ChatServer;
  const clients = new Map<string, ChatClient>();
  let sends = 0;

  beforeAll(async () => {
    server = await ChatServer.start();
    for (const name of ['ann', 'bob', 'own']) clients.set(name, await server.connect(name));
  });
  afterAll(() => server.close());

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  async function ask(name: string, event: string, data: object): Promise<any> {
    try {
      return await clients.get(name)!.command(event, data);
    } catch (error) {
      if (error instanceof CommandError) return error.code;
      throw error;
    }
  }

  /** An act of the owner. */
  async function rest(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await server.http('own', method, path, body);
    return answer.status < 300 ? answer.body : (answer.body as { code: string }).code;
  }

  function perform(model: RoomModel, room: string, epoch: string, step: Act): [Expected, Promise<unknown>] {
    const { user } = step;
    switch (step.kind) {
      case 'join':
        return [model.join(user), ask(user, 'room.join', { room })];
      case 'add':
        return [model.add(user), rest('PUT', `/v1/rooms/${room}/members/${user}`, { role: 'member' })];
      case 'leave':
        return [model.leave(user), ask(user, 'room.leave', { room })];
      case 'kick':
        return [model.kick(user), rest('DELETE', `/v1/rooms/${room}/members/${user}`)];
      case 'subscribe': {
        const since = step.since === null ? {} : { since: { epoch, seq: step.since } };
        return [model.subscribe(user, step.since), ask(user, 'room.subscribe', { room, ...since })];
      }
      case 'send':
        return [model.send(user, step.text), ask(user, 'message.send', { room, clientId: `c${++sends}`, text: step.text })];
      case 'edit':
        return [model.edit(user, step.seq, step.text), ask(user, 'message.edit', { room, seq: step.seq, text: step.text })];
      case 'delete':
        return [model.delete(user, step.seq), ask(user, 'message.delete', { room, seq: step.seq })];
      case 'read':
        return [model.read(user, step.seq), ask(user, 'read.set', { room, seq: step.seq })];
    }
  }

  it.each(['public', 'private'] as const)('that is %s agrees with the model after any sequence of acts', async (type) => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 60, size: 'max' }), async (acts) => {
        const room = await server.room('own', type);
        const model = new RoomModel(type);
        const { epoch } = (await ask('own', 'room.subscribe', { room })) as { epoch: string };
        for (const step of acts) {
          const [expected, answer] = perform(model, room, epoch, step);
          if (typeof expected === 'string') expect(await answer).toBe(expected);
          else expect(await answer).toMatchObject(expected);
        }
        const { messages, headSeq } = (await ask('own', 'history.get', { room, limit: 200 })) as {
          messages: { deletedAt: string | null }[];
          headSeq: number;
        };
        expect(headSeq).toBe(model.head);
        expect(messages.map((message) => ({ ...message, deleted: message.deletedAt !== null }))).toMatchObject(model.messages);
        const owner = clients.get('own')!;
        if (model.head > 0) await owner.seen((frame) => frame.room === room && frame.seq === model.head);
        expect(owner.events(room).map((event) => event.seq)).toEqual(Array.from({ length: model.head }, (_, index) => index + 1));
      }),
      { numRuns: 40, ...propertySeed() },
    );
  });
});

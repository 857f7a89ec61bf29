import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ChatClient, CommandError } from '../support/chat-client.js';
import { propertySeed } from '../support/seeded.js';
import { startTestApp, type TestApp } from '../support/test-app.js';

interface ModelMessage {
  seq: number;
  lastSeq: number;
  sender: string;
  text: string;
  version: number;
}

/** A public room as the protocol has it, in a few lines: what each act answers, and what is there afterwards. */
class Model {
  head = 0;
  readonly members = new Set<string>();
  readonly messages: ModelMessage[] = [];

  join(user: string): object {
    if (!this.members.has(user)) this.head++;
    this.members.add(user);
    return { role: 'member' };
  }

  leave(user: string): object {
    if (this.members.delete(user)) this.head++;
    return {};
  }

  send(user: string, text: string): object | string {
    if (!this.members.has(user)) return 'forbidden';
    const seq = ++this.head;
    this.messages.push({ seq, lastSeq: seq, sender: user, text, version: 1 });
    return { seq, duplicate: false };
  }

  edit(user: string, seq: number, text: string): object | string {
    if (!this.members.has(user)) return 'forbidden';
    const message = this.messages.find((one) => one.seq === seq);
    if (!message) return 'not_found';
    if (message.sender !== user) return 'forbidden';
    if (message.text !== text) Object.assign(message, { text, version: message.version + 1, lastSeq: ++this.head });
    return { seq: message.lastSeq, version: message.version };
  }

  subscribe(user: string): object {
    return { headSeq: this.head, role: this.members.has(user) ? 'member' : null, recovered: false, events: [] };
  }
}

const user = fc.constantFrom('ann', 'bob');
const text = fc.constantFrom('one', 'two', 'three');
const act = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), user }),
  fc.record({ kind: fc.constant('leave' as const), user }),
  fc.record({ kind: fc.constant('subscribe' as const), user }),
  fc.record({ kind: fc.constant('send' as const), user, text }),
  fc.record({ kind: fc.constant('edit' as const), user, text, seq: fc.integer({ min: 1, max: 12 }) }),
);

describe('a room', () => {
  let server: TestApp;
  const clients = new Map<string, ChatClient>();
  let sends = 0;

  beforeAll(async () => {
    server = await startTestApp();
    for (const name of ['ann', 'bob', 'own']) clients.set(name, await ChatClient.connect(server.wsUrl, { token: server.token(name) }));
  });
  afterAll(async () => {
    for (const client of clients.values()) await client.close();
    await server.close();
  });

  async function ask(name: string, event: string, data: object): Promise<unknown> {
    try {
      return await clients.get(name)!.command(event, data);
    } catch (error) {
      if (error instanceof CommandError) return error.code;
      throw error;
    }
  }

  it('agrees with the model after any sequence of join, leave, send, edit and subscribe', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
        const response = await fetch(`${server.url}/v1/rooms`, {
          method: 'POST',
          headers: { authorization: `Bearer ${server.token('own')}`, 'content-type': 'application/json' },
          body: JSON.stringify({ type: 'public' }),
        });
        const { id: room } = (await response.json()) as { id: string };
        const model = new Model();
        await ask('own', 'room.subscribe', { room });
        for (const step of acts) {
          const [expected, answer] = await perform(model, room, step);
          if (typeof expected === 'string') expect(answer).toBe(expected);
          else expect(answer).toMatchObject(expected);
        }
        const { messages, headSeq } = (await ask('own', 'history.get', { room, limit: 200 })) as { messages: object[]; headSeq: number };
        expect(headSeq).toBe(model.head);
        expect(messages).toMatchObject(model.messages);
        const owner = clients.get('own')!;
        if (model.head > 0) await owner.seen((frame) => frame.room === room && frame.seq === model.head);
        expect(owner.events(room).map(({ seq }) => seq)).toEqual(Array.from({ length: model.head }, (_, index) => index + 1));
      }),
      { numRuns: 60, ...propertySeed() },
    );
  });

  async function perform(
    model: Model,
    room: string,
    step: typeof act extends fc.Arbitrary<infer A> ? A : never,
  ): Promise<[object | string, unknown]> {
    switch (step.kind) {
      case 'join':
        return [model.join(step.user), await ask(step.user, 'room.join', { room })];
      case 'leave':
        return [model.leave(step.user), await ask(step.user, 'room.leave', { room })];
      case 'subscribe':
        return [model.subscribe(step.user), await ask(step.user, 'room.subscribe', { room })];
      case 'send': {
        const data = { room, clientId: `c${++sends}`, text: step.text };
        return [model.send(step.user, step.text), await ask(step.user, 'message.send', data)];
      }
      case 'edit':
        return [model.edit(step.user, step.seq, step.text), await ask(step.user, 'message.edit', { room, seq: step.seq, text: step.text })];
    }
  }
});

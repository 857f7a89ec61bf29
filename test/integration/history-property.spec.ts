import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type HistoryQuery, HistoryService } from '../../src/messaging/history.service.js';
import type { HistoryBody } from '../../src/messaging/message.dto.js';
import { MessageEdits } from '../../src/messaging/message-edits.service.js';
import { MessagingService } from '../../src/messaging/messaging.service.js';
import type { Message } from '../../src/protocol/index.js';
import { type MessagingApp, startMessagingApp } from '../support/messaging-app.js';

let server: MessagingApp;

beforeAll(async () => {
  server = await startMessagingApp();
});

afterAll(() => server.close());

async function pageOf(user: string, query: HistoryQuery): Promise<HistoryBody> {
  return JSON.parse(await server.app.get(HistoryService).page(user, query)) as HistoryBody;
}

const ada = { userId: 'ada', name: null, roles: [], sessionId: null, tokenId: null, issuedAt: 0, expiresAt: 0 };

type Act = { kind: 'send'; text: string } | { kind: 'edit'; which: number; text: string } | { kind: 'delete'; which: number };
const text = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('a', 'b', "'; --", '👍') },
  { weight: 1, arbitrary: fc.constantFrom('\u0001', '€').map((char) => char.repeat(8000)) },
);
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('send' as const), text }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), which: fc.nat(30), text }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), which: fc.nat(30) }) },
);
const query = fc.record({
  anchor: fc.constantFrom('before', 'after', 'around', 'none'),
  seq: fc.integer({ min: 1, max: 60 }),
  limit: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.constant(undefined)),
});

/** A room as an array of messages and the count of its events. */
class Model {
  readonly messages: Message[] = [];
  head = 0;

  constructor(readonly room: string) {}

  async apply(act: Act): Promise<void> {
    if (act.kind === 'send') {
      const sent = { clientId: `c${this.head}`, text: act.text };
      const { message } = await server.app.get(MessagingService).post(ada, { room: this.room, ...sent });
      expect(message).toMatchObject({ ...sent, seq: ++this.head, lastSeq: this.head, version: 1 });
      this.messages.push(message);
      return;
    }
    const index = act.which % Math.max(1, this.messages.length);
    const old = this.messages[index];
    if (old === undefined || (act.kind === 'edit' && old.deletedAt !== null)) return;
    const changed = await this.#change(act, old);
    const same = act.kind === 'edit' ? old.text === act.text : old.deletedAt !== null;
    if (same) expect(changed).toEqual(old);
    else expect(changed).toMatchObject({ text: act.kind === 'edit' ? act.text : '', lastSeq: ++this.head });
    this.messages[index] = changed;
  }

  #change(act: Act, { seq }: Message): Promise<Message> {
    const edits = server.app.get(MessageEdits);
    return act.kind === 'edit' ? edits.edit(ada, { room: this.room, seq, text: act.text }) : edits.delete(ada, { room: this.room, seq });
  }

  /** The page by definition: nearest to the point first, in turn where both sides are wanted, until the page is full. */
  page(anchor: string, seq: number, limit = 50): { messages: Message[]; hasBefore: boolean; hasAfter: boolean } {
    const split = this.messages.filter((message) =>
      anchor === 'none' ? true : anchor === 'after' ? message.seq <= seq : message.seq < seq,
    ).length;
    let [first, end] = [split, split];
    let bytes = 512;
    while (end - first < limit) {
      const olderCount = split - first;
      const newerCount = end - split;
      const canOlder = anchor !== 'after' && first > 0;
      const canNewer = (anchor === 'after' || anchor === 'around') && end < this.messages.length;
      if (!canOlder && !canNewer) break;
      const newer = canNewer && (!canOlder || newerCount <= olderCount);
      bytes += Buffer.byteLength(JSON.stringify(this.messages[newer ? end : first - 1])) + 1;
      if (bytes > 262_144 && end > first) break;
      if (newer) end++;
      else first--;
    }
    return { messages: this.messages.slice(first, end), hasBefore: first > 0, hasAfter: end < this.messages.length };
  }
}

describe('history', () => {
  it('agrees with a plain array, over random histories', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { maxLength: 40, size: 'max' }),
        fc.array(query, { minLength: 8, maxLength: 16 }),
        async (acts, queries) => {
          const model = new Model(await server.room('private', { ada: 'owner' }));
          for (const act of acts) await model.apply(act);
          for (const { anchor, seq, limit } of queries) {
            const point = anchor === 'none' ? {} : { [anchor]: seq };
            const page = await pageOf('ada', { room: model.room, ...point, limit });
            expect(page).toEqual({ ...model.page(anchor, seq, limit), epoch: 'e1', firstSeq: 1, headSeq: model.head });
          }
          const { events } = await server.app.get(HistoryService).events('ada', model.room, undefined, 500);
          expect(events.map((json) => (JSON.parse(json) as { seq: number }).seq)).toEqual(events.map((_, index) => index + 1));
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);

  it('is whole when it is paged through, in either direction', async () => {
    const model = new Model(await server.room('private', { ada: 'owner' }));
    const random = fc.sample(act, { numRuns: 120, seed: 7 });
    for (const act of random) await model.apply(act);
    for (const limit of [1, 3, 200]) {
      const up: Message[] = [];
      for (let after = 0, more = true; more;) {
        const page = await pageOf('ada', { room: model.room, after, limit });
        up.push(...page.messages);
        after = page.messages.at(-1)!.seq;
        more = page.hasAfter;
      }
      expect(up).toEqual(model.messages);
      const down: Message[] = [];
      for (let before: number | undefined, more = true; more;) {
        const page = await pageOf('ada', { room: model.room, before, limit });
        down.unshift(...page.messages);
        before = page.messages[0]!.seq;
        more = page.hasBefore;
      }
      expect(down).toEqual(model.messages);
    }
  });
});

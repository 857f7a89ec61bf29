import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ChatClient } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { propertySeed } from '../support/seeded.js';
import { until } from '../support/until.js';
import { readLog } from '../support/whole-room.js';

const SOCKETS = 8;
const ROOMS = 5;
const USERS = ['ann', 'bob', 'cid', 'dan'];

interface Send {
  socket: number;
  room: number;
  /** Few of them, so that some are sent again: by the same socket, or by the other one of the same user. */
  clientId: string;
}

const send: fc.Arbitrary<Send> = fc.record({
  socket: fc.nat(SOCKETS - 1),
  room: fc.nat(ROOMS - 1),
  clientId: fc.oneof({ weight: 4, arbitrary: fc.uuid() }, { weight: 1, arbitrary: fc.constantFrom('a', 'b', 'c') }),
});

describe('sends from many sockets to many rooms at once', () => {
  let server: ChatServer;
  let clients: ChatClient[];

  beforeAll(async () => {
    server = await ChatServer.start();
    clients = await Promise.all(Array.from({ length: SOCKETS }, (_, index) => server.connect(userOf(index))));
  });
  afterAll(() => server.close());

  it('are numbered without hole or double, one clientId once, and each socket in the order of its sends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(send, { minLength: 1, maxLength: 300, size: 'max' }), async (sends) => {
        const rooms = await Promise.all(Array.from({ length: ROOMS }, () => server.room('ann', 'private', USERS.slice(1))));
        const reader = clients[0]!;
        await reader.command('rooms.subscribe', { rooms: rooms.map((room) => ({ room })) });
        const acks = await Promise.all(
          sends.map(({ socket, room, clientId }) => clients[socket]!.command('message.send', { room: rooms[room], clientId, text: 'hi' })),
        );
        const answered = sends.map((sent, index) => ({ ...sent, ...(acks[index] as { seq: number; duplicate: boolean }) }));
        for (const [index, room] of rooms.entries()) {
          const log = await readLog(server, 'ann', room);
          const here = answered.filter((sent) => sent.room === index);
          expectNumbered(
            here,
            log.map(({ data }) => data as { sender: string; clientId: string }),
          );
          await until(() => reader.events(room).length >= log.length, 'the reader has heard all');
          expect(reader.events(room)).toEqual(log);
        }
      }),
      { numRuns: 25, ...propertySeed() },
    );
  });
});

function expectNumbered(sends: (Send & { seq: number; duplicate: boolean })[], log: { sender: string; clientId: string }[]): void {
  const made = sends.filter(({ duplicate }) => !duplicate);
  expect(made.map(({ seq }) => seq).sort((one, other) => one - other)).toEqual(log.map((_, index) => index + 1));
  for (const { seq, clientId, socket } of sends) expect(log[seq - 1]).toMatchObject({ sender: userOf(socket), clientId });
  const names = sends.map(({ clientId, socket }) => `${userOf(socket)} ${clientId}`);
  expect(made).toHaveLength(new Set(names).size);
  for (let socket = 0; socket < SOCKETS; socket++) {
    const seqs = made.filter((sent) => sent.socket === socket).map(({ seq }) => seq);
    expect(seqs).toEqual([...seqs].sort((one, other) => one - other));
  }
}

function userOf(socket: number): string {
  return USERS[socket % USERS.length]!;
}

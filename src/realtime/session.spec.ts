import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Principal } from '../auth/principal.js';
import { type CommandFrame, ackFrame } from '../protocol/index.js';
import { Session } from './session.js';
import type { TurnEnd } from './turn-end.js';

const PRINCIPAL = { userId: 'ann' } as Principal;
const CLIENT = { address: '127.0.0.1', userAgent: null };

let answers: { id: number; event: string; data: { code?: string } }[];
let running: { frame: CommandFrame; finish: () => void }[];
let session: Session;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] });
  answers = [];
  running = [];
  const ws = { isPaused: false } as WebSocket;
  const socket = Object.assign(new EventEmitter(), { writableLength: 0, bytesWritten: 0 }) as unknown as Socket;
  session = new Session(
    'c_1',
    PRINCIPAL,
    ws,
    socket,
    {
      dispatch: (_session, frame) =>
        new Promise((resolve) => {
          const finish = () => {
            session.write(ackFrame(frame.id!, {}));
            resolve();
          };
          running.push({ frame, finish });
        }),
      takeCommand: () => 0,
      turnEnd: { addSocket: () => {} } as unknown as TurnEnd,
    },
    CLIENT,
  );
  const write = session.write.bind(session);
  session.write = (frames) => {
    answers.push(JSON.parse(frames.subarray(2 + (frames[1] === 126 ? 2 : 0)).toString()) as (typeof answers)[number]);
    write(frames);
  };
});
afterEach(() => void jest.useRealTimers());

const ROOMS = ['0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11', '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a12'];

function send(id: number, room: string): void {
  session.receive(Buffer.from(JSON.stringify({ id, event: 'room.join', data: { room } })), false);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a command that waits behind others of its room', () => {
  it('is not run when its turn comes after ten seconds, and those behind it get theirs', async () => {
    send(1, ROOMS[0]!);
    send(2, ROOMS[0]!);
    jest.advanceTimersByTime(6_000);
    send(3, ROOMS[0]!);
    send(4, ROOMS[1]!);
    jest.advanceTimersByTime(4_500);
    expect(running.map(({ frame }) => frame.id)).toEqual([1, 4]);
    running[0]!.finish();
    await turn();
    expect(running.map(({ frame }) => frame.id)).toEqual([1, 4, 3]);
    expect(answers.map(({ id, event, data }) => [id, event, data.code])).toEqual([
      [1, 'ack', undefined],
      [2, 'error', 'unavailable'],
    ]);
    for (const { finish } of running.slice(1)) finish();
    await session.idle();
  });

  it('runs when its turn comes in time', async () => {
    send(1, ROOMS[0]!);
    send(2, ROOMS[0]!);
    jest.advanceTimersByTime(9_900);
    running[0]!.finish();
    await turn();
    expect(running.map(({ frame }) => frame.id)).toEqual([1, 2]);
    running[1]!.finish();
    await session.idle();
  });
});

import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { UNSENT } from '../protocol/index.js';
import { Connection } from './connection.js';
import type { TurnEnd } from './turn-end.js';

/** A TCP socket whose kernel takes all, or nothing. */
class FakeSocket extends EventEmitter {
  written: string[] = [];
  writableLength = 0;
  isStuck = false;
  readonly destroyed = false;

  write(bytes: Buffer): void {
    this.written.push(bytes.length > 100 ? 'large' : bytes.toString());
    if (this.isStuck) this.writableLength += bytes.length;
  }

  cork(): void {}

  uncork(): void {}

  take(): void {
    this.writableLength = 0;
    this.emit('drain');
  }
}

const LARGE = Buffer.alloc(UNSENT.pauseBytes + 1);

let socket: FakeSocket;
let pending: Connection[];
let slow: boolean[];
let connection: Connection;
beforeEach(() => {
  socket = new FakeSocket();
  pending = [];
  slow = [];
  const turnEnd = { addSocket: (one: Connection) => void pending.push(one) } as unknown as TurnEnd;
  connection = new Connection({} as WebSocket, socket as unknown as Socket, turnEnd, () => void slow.push(connection.isSlow));
});

function endTurn(): void {
  const due = pending;
  pending = [];
  for (const one of due) one.flush();
}

describe('ephemeral frames of a slow connection', () => {
  it('wait, the last of each key, until the client has caught up', () => {
    socket.isStuck = true;
    connection.write(LARGE);
    endTurn();
    expect(slow).toEqual([true]);
    connection.deliver(Buffer.from('a1'), 'a');
    connection.deliver(Buffer.from('b1'), 'b');
    connection.deliver(Buffer.from('a2'), 'a');
    endTurn();
    expect(socket.written).toEqual(['large']);
    socket.isStuck = false;
    socket.take();
    endTurn();
    expect(socket.written.slice(1).join()).toBe('b1a2');
    expect(slow).toEqual([true, false]);
  });

  it('are not overtaken by a later one of their key, when some bytes were taken and not all', () => {
    socket.isStuck = true;
    connection.write(LARGE);
    endTurn();
    connection.deliver(Buffer.from('old'), 'a');
    socket.writableLength = 1_000;
    connection.deliver(Buffer.from('new'), 'a');
    endTurn();
    socket.isStuck = false;
    socket.take();
    endTurn();
    expect(socket.written).toEqual(['large', 'new']);
  });

  it('are bounded in bytes: the keys that were silent the longest are lost', () => {
    socket.isStuck = true;
    connection.write(LARGE);
    endTurn();
    connection.deliver(Buffer.from('first'), 'again');
    for (let key = 0; key < 100; key++) {
      connection.deliver(Buffer.alloc(1_000, 'x'), `key${key}`);
      connection.deliver(Buffer.from(`again${key}`), 'again');
    }
    socket.isStuck = false;
    socket.take();
    endTurn();
    const late = socket.written.slice(1);
    expect(late.at(-1)).toBe('again99');
    expect(late.filter((text) => text === 'large').length).toBeGreaterThan(60);
    expect(late.filter((text) => text === 'large').length).toBeLessThan(66);
  });

  it('are written though the kernel takes at once what was too much in the queue', () => {
    connection.write(LARGE);
    connection.deliver(Buffer.from('state'), 'a');
    endTurn();
    endTurn();
    expect(socket.written).toEqual(['large', 'state']);
    expect(slow).toEqual([]);
  });
});

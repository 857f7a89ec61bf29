import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Metrics } from '../telemetry/metrics.js';
import { type Flushable, TurnEnd } from './turn-end.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the end of a turn', () => {
  let turnEnd: TurnEnd;
  let nowMs: number;
  let flushed: string[];

  beforeEach(() => {
    nowMs = 1_000;
    flushed = [];
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
    turnEnd = new TurnEnd(new Metrics(false));
  });
  afterEach(() => void jest.restoreAllMocks());

  /** A write that takes an eighth of a millisecond. */
  const socket = (name: string): Flushable => ({
    flush: () => {
      flushed.push(name);
      nowMs += 0.125;
    },
  });
  const stream = (...followers: Flushable[]): Flushable => ({ flush: () => followers.forEach((one) => turnEnd.addSocket(one)) });
  const sockets = (count: number, name = 'f') => Array.from({ length: count }, (_, i) => socket(`${name}${i}`));

  async function rest(): Promise<void> {
    for (let seen = -1; seen < flushed.length;) {
      seen = flushed.length;
      await turn();
    }
  }

  it('says when all that a turn gave to sockets is written, though that takes several turns', async () => {
    const followers = sockets(100);
    let writtenThen: number | undefined;
    turnEnd.add({
      flush: () => {
        followers.forEach((one) => turnEnd.addSocket(one));
        turnEnd.afterSockets(() => (writtenThen = flushed.length));
      },
    });
    await turn();
    expect([flushed.length < 100, writtenThen]).toEqual([true, undefined]);
    await rest();
    expect(writtenThen).toBe(100);
    turnEnd.add({ flush: () => turnEnd.afterSockets(() => (writtenThen = 0)) });
    await turn();
    expect(writtenThen).toBe(0);
  });

  it('writes each socket once, whatever was put into it', async () => {
    const [one, two] = sockets(2);
    turnEnd.addSocket(one!);
    turnEnd.add(stream(one!, two!));
    turnEnd.add(stream(two!, one!));
    turnEnd.addSocket(one!);
    await rest();
    expect(flushed.sort()).toEqual(['f0', 'f1']);
  });

  it('gives a large room a share of each turn, in which what else there is to write goes first', async () => {
    const room = sockets(100);
    turnEnd.add(stream(...room));
    await turn();
    // After a pause: the largest share, 5 ms.
    expect(flushed).toHaveLength(41);
    turnEnd.addSocket(socket('answer'));
    await turn();
    expect(flushed[41]).toBe('answer');
    expect(flushed.length).toBeLessThan(50);
    await rest();
    expect(flushed.filter((name) => name !== 'answer')).toEqual(room.map((_, i) => `f${i}`));
  });

  it('gives it as long as the rest of the turn took', async () => {
    turnEnd.add(stream(...sockets(100)));
    await turn();
    flushed = [];
    nowMs += 2;
    await turn();
    expect(flushed).toHaveLength(17);
    await rest();
  });

  it('writes what comes for a socket while it waits together with what it waits for', async () => {
    const room = sockets(100);
    turnEnd.add(stream(...room));
    await turn();
    turnEnd.add(stream(...room));
    await rest();
    // Those that were written before are written again, behind the others.
    expect(flushed).toEqual([...room.keys()].concat([...Array(41).keys()]).map((i) => `f${i}`));
  });

  it('writes the answers of those who follow the room behind the others: who sends at each answer is paced by it', async () => {
    const room = sockets(10);
    turnEnd.addSocket(room[3]!);
    turnEnd.add(stream(...room));
    await rest();
    expect(flushed).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9, 3].map((i) => `f${i}`));
  });

  it('runs tasks behind the streams and before the sockets', async () => {
    turnEnd.add(stream(socket('follower')));
    turnEnd.addSocket(socket('answer'));
    turnEnd.afterStreams(() => flushed.push('task'));
    await rest();
    expect(flushed).toEqual(['task', 'answer', 'follower']);
  });
});

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { RoomTurns } from './room-turns.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('RoomTurns', () => {
  afterEach(() => void jest.restoreAllMocks());

  /** A task that is under way until `finish` is called. */
  function task(log: string[], name: string) {
    let finish = () => {};
    const run = () => {
      log.push(name);
      return new Promise<string>((resolve) => (finish = () => resolve(name)));
    };
    return { run, finish: () => finish() };
  }

  it('runs one task of a room at a time, in order, and rooms side by side up to the slots', async () => {
    const turns = new RoomTurns(2);
    const log: string[] = [];
    const tasks = ['a1', 'a2', 'b1', 'c1'].map((name) => task(log, name));
    const results = tasks.map(({ run }, index) => turns.run(['a', 'a', 'b', 'c'][index]!, run));
    await turn();
    expect(log).toEqual(['a1', 'b1']);
    tasks[0]!.finish();
    await turn();
    expect(log).toEqual(['a1', 'b1', 'c1']);
    tasks[2]!.finish();
    await turn();
    expect(log).toEqual(['a1', 'b1', 'c1', 'a2']);
    tasks[1]!.finish();
    tasks[3]!.finish();
    expect(await Promise.all(results)).toEqual(['a1', 'a2', 'b1', 'c1']);
  });

  it('goes on after a task that failed', async () => {
    const turns = new RoomTurns(1);
    const failed = turns.run('a', () => Promise.reject(new Error('mine')));
    const next = turns.run('a', () => Promise.resolve('next'));
    await expect(failed).rejects.toThrow('mine');
    expect(await next).toBe('next');
  });

  it('runs no task that has waited too long', async () => {
    const turns = new RoomTurns(1);
    const log: string[] = [];
    const first = task(log, 'first');
    const running = turns.run('a', first.run);
    const late = turns.run('a', task(log, 'late').run);
    await turn();
    const now = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(now + 6_000);
    first.finish();
    await running;
    await expect(late).rejects.toMatchObject({ code: 'unavailable' });
    expect(log).toEqual(['first']);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RoomOrder } from './room-order.js';

interface Task {
  rooms: string[];
  together: boolean;
}

const ROOMS = ['a', 'b', 'c'];
const task: fc.Arbitrary<Task> = fc.oneof(
  fc.record({ rooms: fc.subarray(ROOMS, { minLength: 1 }), together: fc.constant(false) }),
  fc.record({ rooms: fc.constantFrom(...ROOMS).map((room) => [room]), together: fc.constant(true) }),
);

/** Runs the tasks, each finished by hand, in the order that `finishes` picks; returns what was under way when each task started. */
async function run(tasks: Task[], finishes: number[]): Promise<{ started: number[]; finishedBefore: Map<number, Set<number>> }> {
  const order = new RoomOrder();
  const started: number[] = [];
  const finished = new Set<number>();
  const finishedBefore = new Map<number, Set<number>>();
  const open = new Map<number, () => void>();
  tasks.forEach(({ rooms, together }, index) => {
    order.run(rooms, together, () => {
      started.push(index);
      finishedBefore.set(index, new Set(finished));
      return new Promise((resolve) => open.set(index, resolve));
    });
  });
  for (let turn = 0; finished.size < tasks.length; turn++) {
    expect(open.size).toBeGreaterThan(0);
    const running = [...open.keys()];
    const index = running[(finishes[turn % finishes.length] ?? 0) % running.length]!;
    finished.add(index);
    open.get(index)!();
    open.delete(index);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { started, finishedBefore };
}

describe('RoomOrder', () => {
  it('starts a task when all before it that share a room are done, but for tasks that run together', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(task, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(100), { minLength: 1, maxLength: 12 }),
        async (tasks, finishes) => {
          const { started, finishedBefore } = await run(tasks, finishes);
          expect([...started].sort((x, y) => x - y)).toEqual(tasks.map((_, index) => index));
          tasks.forEach((later, index) => {
            tasks.slice(0, index).forEach((earlier, before) => {
              if (!earlier.rooms.some((room) => later.rooms.includes(room))) return;
              if (earlier.together && later.together) expect(started.indexOf(before)).toBeLessThan(started.indexOf(index));
              else expect(finishedBefore.get(index)!.has(before)).toBe(true);
            });
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it('does not wait for another room', async () => {
    const order = new RoomOrder();
    const started: string[] = [];
    order.run(['a'], false, () => new Promise(() => started.push('a')));
    order.run(['b'], false, () => Promise.resolve(void started.push('b')));
    expect(started).toEqual(['a', 'b']);
    await Promise.resolve();
  });
});

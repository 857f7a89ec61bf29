/**
 * Keeps the commands of one connection in order, room by room: each starts when those before it that share a room with it are done.
 * Sends are the exception: they may be under way together, since the log numbers them in the order in which they started.
 */
export class RoomOrder {
  readonly #rooms = new Map<string, RoomQueue>();

  /**
   * Runs `task` in its turn. Tasks that need not wait are started before this returns.
   * @param together the task, of one room, may run beside others of its room that say so too
   * @param task must not reject
   */
  run(rooms: readonly string[], together: boolean, task: () => Promise<void>): void {
    const queues = rooms.map((room) => this.#queue(room));
    const before = queues.flatMap((queue) => queue.before(together));
    const done = before.length === 0 ? task() : Promise.all(before).then(task);
    queues.forEach((queue, index) => {
      queue.enter(done, together);
      void done.then(() => {
        if (queue.leave(done)) this.#rooms.delete(rooms[index]!);
      });
    });
  }

  #queue(room: string): RoomQueue {
    let queue = this.#rooms.get(room);
    if (!queue) this.#rooms.set(room, (queue = new RoomQueue()));
    return queue;
  }
}

class RoomQueue {
  /** The last task that runs alone, until it is done. */
  #alone: Promise<void> | null = null;
  /** Tasks behind it that may run together. */
  readonly #together = new Set<Promise<void>>();

  before(together: boolean): Promise<void>[] {
    const alone = this.#alone === null ? [] : [this.#alone];
    return together ? alone : [...alone, ...this.#together];
  }

  enter(done: Promise<void>, together: boolean): void {
    if (together) {
      this.#together.add(done);
    } else {
      this.#alone = done;
      this.#together.clear();
    }
  }

  /** @returns whether nothing is left under way */
  leave(done: Promise<void>): boolean {
    this.#together.delete(done);
    if (this.#alone === done) this.#alone = null;
    return this.#alone === null && this.#together.size === 0;
  }
}

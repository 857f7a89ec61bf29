import { Injectable } from '@nestjs/common';

export interface Flushable {
  flush(): void;
}

/** What one turn gives to the sockets that only follow rooms: as long as the turn's other work took, within these bounds. */
const LEAST_SHARE_MS = 0.5;
const LARGEST_SHARE_MS = 5;

/**
 * Gathers what has to be written, and writes it at the end of a turn of the event loop: first the rooms' streams, which fill the sockets'
 * queues, then the sockets, one write each. The write syscall is most of a delivery's cost, so this is where it is saved.
 *
 * Sockets with answers to their commands are written at once. Those that follow a room are written in the order in which they were marked,
 * as far as the turn's share of time goes, and on in the next one: so a large room delays neither other rooms nor commands, and what comes
 * for a socket while it waits goes out in the same write. Who has an answer and follows such a room comes last of all: a client that
 * sends at each answer is paced by the deliveries that it causes, where it would else queue behind them.
 */
@Injectable()
export class TurnEnd {
  #streams = new Set<Flushable>();
  #afterwards: (() => void)[] = [];
  #answered = new Set<Flushable>();
  readonly #following = new Set<Flushable>();
  #isFlushingStreams = false;
  #isScheduled = false;
  #endedAt = 0;

  /** A stream: flushed before the sockets. */
  add(stream: Flushable): void {
    this.#streams.add(stream);
    this.#schedule();
  }

  addSocket(socket: Flushable): void {
    if (this.#isFlushingStreams) this.#following.add(socket);
    else this.#answered.add(socket);
    this.#schedule();
  }

  /** Runs when the streams have filled the queues, before the sockets write. */
  afterStreams(task: () => void): void {
    this.#afterwards.push(task);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    const began = performance.now();
    const shareMs = Math.min(LARGEST_SHARE_MS, Math.max(LEAST_SHARE_MS, began - this.#endedAt));
    this.#flushStreams();
    this.#isScheduled = false;
    const answered = this.#answered;
    this.#answered = new Set();
    for (const socket of answered) {
      // Deleted and added, it is the last.
      if (this.#following.delete(socket)) this.#following.add(socket);
      else socket.flush();
    }
    this.#flushFollowing(shareMs);
    this.#endedAt = performance.now();
  }

  #flushStreams(): void {
    this.#isFlushingStreams = true;
    const streams = this.#streams;
    this.#streams = new Set();
    for (const stream of streams) stream.flush();
    const tasks = this.#afterwards;
    this.#afterwards = [];
    for (const task of tasks) task();
    this.#isFlushingStreams = false;
  }

  #flushFollowing(shareMs: number): void {
    const until = performance.now() + shareMs;
    for (const socket of this.#following) {
      this.#following.delete(socket);
      socket.flush();
      if (performance.now() > until) break;
    }
    if (this.#following.size > 0) this.#schedule();
  }
}

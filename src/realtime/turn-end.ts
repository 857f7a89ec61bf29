import { Injectable } from '@nestjs/common';

export interface Flushable {
  flush(): void;
}

/**
 * Gathers what a turn of the event loop has to write, and writes it once at the turn's end: first the rooms' streams, which fill the
 * sockets' queues, then the sockets. The write syscall is most of a delivery's cost, so this is where it is saved.
 */
@Injectable()
export class TurnEnd {
  #streams = new Set<Flushable>();
  #sockets = new Set<Flushable>();
  #afterwards: (() => void)[] = [];
  #isScheduled = false;

  /** A stream: flushed before the sockets. */
  add(stream: Flushable): void {
    this.#streams.add(stream);
    this.#schedule();
  }

  addSocket(socket: Flushable): void {
    this.#sockets.add(socket);
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
    const streams = this.#streams;
    this.#streams = new Set();
    for (const stream of streams) stream.flush();
    const tasks = this.#afterwards;
    this.#afterwards = [];
    for (const task of tasks) task();
    // What the streams have marked is in the set by now.
    const sockets = this.#sockets;
    this.#sockets = new Set();
    this.#isScheduled = false;
    for (const socket of sockets) socket.flush();
  }
}

import { Injectable } from '@nestjs/common';
import { Metrics } from '../telemetry/metrics.js';

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
  /** Only with metrics: since when the oldest of `#streams` waits. */
  #streamsSince = 0;
  /** What has been written of `#following`, ever. */
  #flushed = 0;
  /** Only with metrics or traces: waves of streams whose followers are not all written. `upTo` is the last one's number. */
  readonly #waves: { upTo: number; tasks: (() => void)[] }[] = [];
  /** Of the wave that is being gathered. */
  #afterSockets: (() => void)[] = [];

  constructor(private readonly metrics: Metrics) {}

  /** A stream: flushed before the sockets. */
  add(stream: Flushable): void {
    if (this.metrics.isOn && this.#streams.size === 0) this.#streamsSince = performance.now();
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

  /** For a stream that is being flushed: runs when all sockets that this turn's streams gave something to are written. */
  afterSockets(task: () => void): void {
    this.#afterSockets.push(task);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    const began = performance.now();
    const shareMs = Math.min(LARGEST_SHARE_MS, Math.max(LEAST_SHARE_MS, began - this.#endedAt));
    const since = this.#streams.size > 0 ? this.#streamsSince : 0;
    this.#flushStreams();
    this.#isScheduled = false;
    const answered = this.#answered;
    this.#answered = new Set();
    for (const socket of answered) {
      // Deleted and added, it is the last.
      if (this.#following.delete(socket)) this.#following.add(socket);
      else socket.flush();
    }
    if (since > 0 && this.#following.size > 0) this.afterSockets(() => this.#observe(since));
    if (this.#afterSockets.length > 0) this.#beginWave();
    this.#flushFollowing(shareMs);
    this.#endedAt = performance.now();
    this.#endWaves();
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
      this.#flushed++;
      if (performance.now() > until) break;
    }
    if (this.#following.size > 0) this.#schedule();
  }

  #beginWave(): void {
    this.#waves.push({ upTo: this.#flushed + this.#following.size, tasks: this.#afterSockets });
    this.#afterSockets = [];
  }

  #endWaves(): void {
    while (this.#waves.length > 0 && this.#waves[0]!.upTo <= this.#flushed) for (const task of this.#waves.shift()!.tasks) task();
  }

  #observe(since: number): void {
    this.metrics.observe('delivery', (this.#endedAt - since) / 1_000);
  }
}

import { Logger } from '@nestjs/common';
import type { PubSub } from './pub-sub.js';

/** Bytes handed to the connection and not answered by Redis; beyond this, hints are dropped. */
export const MAX_BYTES_UNDER_WAY = 8_388_608;
/** What a command costs beside its message, roughly. */
const COMMAND_BYTES = 200;

/**
 * Publishes without anybody waiting. What cannot go out now is dropped and counted, never kept for later: a hint that comes late is worth
 * less than the memory that it holds, and the log has all of it.
 */
export class RedisOutbox {
  readonly #logger = new Logger(RedisOutbox.name);
  #bytesUnderWay = 0;
  #dropped = 0;
  #droppedAt: number | null = null;
  #reported = 0;

  constructor(private readonly pubSub: PubSub) {}

  get bytesUnderWay(): number {
    return this.#bytesUnderWay;
  }

  /** Messages dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** When the last one was dropped, or known to be lost. */
  get droppedAt(): number | null {
    return this.#droppedAt;
  }

  /** @param encode is called only when the message goes out */
  send(channel: string, encode: () => Buffer): void {
    if (this.pubSub.publisher.status !== 'ready' || this.#bytesUnderWay >= MAX_BYTES_UNDER_WAY) return this.#drop();
    const message = this.#encoded(channel, encode);
    if (!message) return;
    const bytes = message.length + channel.length + COMMAND_BYTES;
    this.#bytesUnderWay += bytes;
    this.#publish(channel, message)
      .catch(() => this.#drop())
      .finally(() => (this.#bytesUnderWay -= bytes));
  }

  /** Logs what was dropped since the last report, if anything. */
  report(): void {
    if (this.#dropped === this.#reported) return;
    this.#logger.warn(`Redis took ${this.#dropped - this.#reported} hints too few; the other instances read those from the log.`);
    this.#reported = this.#dropped;
  }

  #drop(): void {
    this.#dropped++;
    this.#droppedAt = performance.now();
  }

  // Whoever publishes has committed already, and is not to fail by what cannot be told.
  #encoded(channel: string, encode: () => Buffer): Buffer | null {
    try {
      return encode();
    } catch (err) {
      this.#drop();
      this.#logger.error({ err, channel }, 'A message of the bus could not be encoded');
      return null;
    }
  }

  // A cluster's client throws at once where a slot has no node.
  async #publish(channel: string, message: Buffer): Promise<void> {
    await this.pubSub.publish(channel, message);
  }
}

import { type ChatError } from '../errors/chat-error.js';
import { toChatError } from '../errors/http-error.js';
import { ackFrame, type CommandFrame, errorFrame, textFrame } from '../protocol/index.js';
import type { Session } from './session.js';

/** One command under way. It is answered exactly once; a success without `id` is not written. */
export class Command<Data = CommandFrame['data']> {
  #isAnswered = false;

  constructor(
    readonly session: Session,
    readonly id: number | undefined,
    readonly event: CommandFrame['event'],
    readonly data: Data,
  ) {}

  /** The first answer counts. */
  ack(data: unknown): void {
    if (this.#answer() && this.id !== undefined) this.session.write(ackFrame(this.id, data));
  }

  /** As `ack`, for data that is JSON already. */
  ackJson(data: string): void {
    if (this.#answer() && this.id !== undefined) this.session.write(textFrame(`{"id":${this.id},"event":"ack","data":${data}}`));
  }

  /** Whatever was thrown becomes an error for callers. @returns what the caller is told */
  fail(error: unknown): ChatError {
    const failure = toChatError(error);
    if (this.#answer()) this.session.write(errorFrame(this.id, failure.toData()));
    return failure;
  }

  #answer(): boolean {
    if (this.#isAnswered) return false;
    this.#isAnswered = true;
    return true;
  }
}

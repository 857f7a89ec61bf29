import { type ChatError } from '../errors/chat-error.js';
import { toChatError } from '../errors/http-error.js';
import { ackFrame, type CommandFrame, errorFrame, textFramePieces } from '../protocol/index.js';
import type { Session } from './session.js';

/** One command under way. It is answered exactly once; a success without `id` is not written. */
export class Command<Data = CommandFrame['data']> {
  #isAnswered = false;
  #failure: ChatError | undefined;

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

  /** As `ack`, for data that is JSON already, in pieces. Buffers among them are written as they are, without a copy. */
  ackJson(data: readonly (string | Buffer)[]): void {
    if (!this.#answer() || this.id === undefined) return;
    for (const piece of textFramePieces([`{"id":${this.id},"event":"ack","data":`, ...data, '}'])) this.session.write(piece);
  }

  /** Whatever was thrown becomes an error for callers. @returns what the caller is told */
  fail(error: unknown): ChatError {
    const failure = toChatError(error);
    if (this.#answer()) {
      this.#failure = failure;
      this.session.write(errorFrame(this.id, failure.toData()));
    }
    return failure;
  }

  /** What it was answered with, when that was an error. */
  get failure(): ChatError | undefined {
    return this.#failure;
  }

  #answer(): boolean {
    if (this.#isAnswered) return false;
    this.#isAnswered = true;
    return true;
  }
}

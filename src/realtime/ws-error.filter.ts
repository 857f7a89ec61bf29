import { type ArgumentsHost, Catch, Logger, type WsExceptionFilter } from '@nestjs/common';
import { ERROR_CODES } from '../protocol/index.js';
import type { Command } from './command.js';

/** Answers a failed command. What is not the caller's fault is logged, and the caller is told no more than its code. */
@Catch()
export class WsErrorFilter implements WsExceptionFilter {
  readonly #logger = new Logger('Command');

  catch(exception: unknown, host: ArgumentsHost): void {
    const command = host.switchToWs().getData<Command>();
    const failure = command.fail(exception);
    if (ERROR_CODES[failure.code].status < 500) return;
    this.#logger.error(
      { err: failure.cause ?? exception, event: command.event, user: command.session.userId },
      `${command.event} failed: ${failure.code}`,
    );
  }
}

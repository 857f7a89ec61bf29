import { type ArgumentsHost, Catch, Logger, type WsExceptionFilter } from '@nestjs/common';
import { ERROR_CODES } from '../protocol/index.js';
import { CommandOutages } from './command-outages.js';
import type { Command } from './command.js';

/**
 * Answers a failed command, and the caller is told no more than its code. What is the server's own fault is logged with its cause, one by
 * one; what an outage makes of commands is counted.
 */
@Catch()
export class WsErrorFilter implements WsExceptionFilter {
  readonly #logger = new Logger('Command');

  constructor(private readonly outages: CommandOutages) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const command = host.switchToWs().getData<Command>();
    const failure = command.fail(exception);
    if (failure.code === 'unavailable' || failure.code === 'timeout') return this.outages.count(failure);
    if (ERROR_CODES[failure.code].status < 500) return;
    this.#logger.error(
      { err: failure.cause ?? exception, event: command.event, user: command.session.userId },
      `${command.event} failed: ${failure.code}`,
    );
  }
}

import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { driverErrorOf } from '../database/database-error.js';
import { reasonOf } from '../database/database-reason.js';
import type { ChatError } from '../errors/chat-error.js';

/** How long failures are counted before the log has them. */
const WINDOW_MS = 5_000;
/** Causes that are told apart in that time; those beyond are counted by what callers were told. */
const MAX_CAUSES = 20;

interface Outage {
  failures: number;
  /** What callers were told. */
  code: string;
  /** Of the error behind it: the driver's, PostgreSQL's or Node's. */
  cause?: string;
  reason: string;
}

/** Counts commands that failed since something was away, or was too busy: an outage is a line a cause every five seconds, however many it fails. */
@Injectable()
export class CommandOutages implements OnModuleDestroy {
  readonly #logger = new Logger('Command');
  readonly #outages = new Map<string, Outage>();
  #timer: NodeJS.Timeout | undefined;

  count(failure: ChatError): void {
    const outage = this.#outageOf(failure);
    outage.failures++;
    this.#timer ??= setTimeout(() => this.#tell(), WINDOW_MS).unref();
  }

  onModuleDestroy(): void {
    this.#tell();
  }

  #outageOf({ code, message, cause }: ChatError): Outage {
    const outage: Outage = cause === undefined ? { failures: 0, code, reason: message } : { failures: 0, code, ...wordsOf(cause) };
    const exact = JSON.stringify(outage);
    const key = this.#outages.has(exact) || this.#outages.size < MAX_CAUSES ? exact : code;
    const known = this.#outages.get(key) ?? (key === exact ? outage : { failures: 0, code, reason: 'many causes' });
    this.#outages.set(key, known);
    return known;
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const outage of this.#outages.values()) {
      this.#logger.warn(outage, `${outage.failures} ${outage.failures === 1 ? 'command' : 'commands'} failed: ${outage.code}`);
    }
    this.#outages.clear();
  }
}

function wordsOf(error: unknown): { cause?: string; reason: string } {
  const cause = (driverErrorOf(error) as { code?: unknown } | null)?.code;
  return { ...(typeof cause === 'string' && { cause }), reason: reasonOf(error) };
}

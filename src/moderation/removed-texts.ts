import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Sql, type Statement } from '../database/sql.js';

const EXPIRE_MS = 3_600_000;
/** What one statement takes at most. */
const BATCH = 1_000;

/** $1 days, $2 how many */
const EXPIRE_REMOVALS: Statement = {
  name: 'expire_removals',
  text: `UPDATE message_removals SET text = NULL, meta = '{}' WHERE ctid = ANY (ARRAY(
      SELECT x.ctid FROM message_removals x WHERE x.removed_at < clock_timestamp() - $1 * interval '1 day' AND x.text IS NOT NULL
      ORDER BY x.removed_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
    )) RETURNING room_id`,
};

/** $1 days, $2 how many */
const EXPIRE_QUOTES: Statement = {
  name: 'expire_quotes',
  text: `UPDATE reports SET text = NULL WHERE id = ANY (ARRAY(
      SELECT x.id FROM reports x WHERE x.decided_at < clock_timestamp() - $1 * interval '1 day' AND x.text IS NOT NULL
      ORDER BY x.decided_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
    )) RETURNING id`,
};

/**
 * Forgets what moderators removed, and what decided reports quote, after `REMOVED_TEXT_DAYS`; without that, nothing. Who removed it, why and
 * when stays. Every instance does it, at its start and each hour; two at once take different rows.
 */
@Injectable()
export class RemovedTexts implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(RemovedTexts.name);
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(
    private readonly sql: Sql,
    private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    const days = this.config.removedTextDays;
    if (days === undefined) return;
    void this.#expire(days);
    this.#timer = setInterval(() => void this.#expire(days), EXPIRE_MS).unref();
  }

  onApplicationShutdown(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  async #expire(days: number): Promise<void> {
    try {
      for (const statement of [EXPIRE_REMOVALS, EXPIRE_QUOTES]) {
        let gone: number;
        do gone = (await this.sql.query(statement, [days, BATCH])).length;
        while (gone === BATCH && !this.#isStopped);
      }
    } catch (error) {
      if (!this.#isStopped) this.#logger.warn(`Removed texts cannot be forgotten; trying again in an hour: ${(error as Error).message}`);
    }
  }
}

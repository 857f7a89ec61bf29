import { Injectable, Logger } from '@nestjs/common';
import { RoomBus } from '../bus/room-bus.js';
import { Config } from '../config/config.js';
import { Lifecycle } from '../config/lifecycle.js';
import { Sql } from '../database/sql.js';
import { Metrics } from '../telemetry/metrics.js';
import type { DependencyBody, ReadinessBody, ReadinessStatus } from './health.dto.js';

const PROBE_TIMEOUT_MS = 1_000;
const LEVELS = { ok: 2, degraded: 1, down: 0 } as const;
const PROBE = { name: 'health_probe', text: 'SELECT 1' };

/**
 * Asks what this server needs whether it is there. Many questions at once make one probe, and a probe that hangs is not asked again.
 * The log has each answer that is another one than the one before.
 */
@Injectable()
export class HealthService {
  readonly #logger = new Logger('Health');
  #told: ReadinessStatus = 'ok';
  #probe: Promise<DependencyBody> | undefined;

  constructor(
    private readonly sql: Sql,
    private readonly lifecycle: Lifecycle,
    private readonly bus: RoomBus,
    private readonly config: Config,
    metrics: Metrics,
  ) {
    metrics.source('readiness', async () => LEVELS[(await this.readiness()).status]);
  }

  /** Answers within a second, whatever the database and Redis do. */
  async readiness(): Promise<ReadinessBody> {
    const database = await this.#database();
    // Alone, the bus needs no Redis, and there is nothing to tell of it.
    const redis = this.config.redisUrl.length > 0 ? this.bus.health() : undefined;
    const readiness = { status: this.#verdict(database, redis), dependencies: { database, ...(redis && { redis }) } };
    this.#tellChange(readiness);
    return readiness;
  }

  #tellChange({ status, dependencies }: ReadinessBody): void {
    if (status === this.#told) return;
    const isWorse = LEVELS[status] < LEVELS[this.#told];
    this.#told = status;
    // That it stops is what it was told to do.
    const level = isWorse && !this.lifecycle.isDraining ? 'warn' : 'log';
    this.#logger[level]({ dependencies, ...(this.lifecycle.isDraining && { stopping: true }) }, `Readiness: ${status}`);
  }

  #verdict(database: DependencyBody, redis: DependencyBody | undefined): ReadinessStatus {
    if (this.lifecycle.isDraining || database.status === 'down') return 'down';
    return redis?.status === 'down' ? 'degraded' : 'ok';
  }

  async #database(): Promise<DependencyBody> {
    this.#probe ??= this.#ask().finally(() => (this.#probe = undefined));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<DependencyBody>((resolve) => {
      timer = setTimeout(() => resolve({ status: 'down', reason: `no answer within ${PROBE_TIMEOUT_MS} ms` }), PROBE_TIMEOUT_MS);
    });
    return Promise.race([this.#probe, late]).finally(() => clearTimeout(timer));
  }

  async #ask(): Promise<DependencyBody> {
    try {
      await this.sql.query(PROBE, []);
      return { status: 'up' };
    } catch (error) {
      // The error is one for callers: it names no host and no SQL.
      return { status: 'down', reason: error instanceof Error ? error.message : 'unknown' };
    }
  }
}

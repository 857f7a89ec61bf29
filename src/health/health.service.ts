import { Injectable } from '@nestjs/common';
import { Lifecycle } from '../config/lifecycle.js';
import { Sql } from '../database/sql.js';
import type { DependencyBody, ReadinessBody } from './health.dto.js';

const PROBE_TIMEOUT_MS = 1_000;
const PROBE = { name: 'health_probe', text: 'SELECT 1' };

/** Asks what this server needs whether it is there. Many questions at once make one probe, and a probe that hangs is not asked again. */
@Injectable()
export class HealthService {
  #probe: Promise<DependencyBody> | undefined;

  constructor(
    private readonly sql: Sql,
    private readonly lifecycle: Lifecycle,
  ) {}

  /** Answers within a second, whatever the database does. */
  async readiness(): Promise<ReadinessBody> {
    const database = await this.#database();
    return { status: this.lifecycle.isDraining ? 'down' : database.status, dependencies: { database } };
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

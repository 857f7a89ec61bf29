import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { Metrics } from '../telemetry/metrics.js';
import { isOfConnection, sqlState, translateDatabaseError } from './database-error.js';

/** A statement that PostgreSQL plans once a connection; its name must be unique in the program. */
export interface Statement {
  name: string;
  text: string;
}

/** A statement that was composed for one call, and is planned for its values. */
export interface ComposedStatement {
  text: string;
  name?: undefined;
}

/** Where the hot paths meet PostgreSQL: prepared statements on TypeORM's own pool. */
@Injectable()
export class Sql {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    metrics: Metrics,
  ) {
    metrics.source('poolTotal', () => this.#pool.totalCount);
    metrics.source('poolIdle', () => this.#pool.idleCount);
    metrics.source('poolWaiting', () => this.#pool.waitingCount);
  }

  /**
   * Runs one statement in a transaction of its own.
   * @throws {ChatError} `unavailable` when it was certainly not run, `timeout` when it waited too long or its fate is unknown
   * @throws the driver's error for everything that the statement itself is to blame for
   */
  async query<Row extends QueryResultRow>(statement: Statement | ComposedStatement, values: unknown[]): Promise<Row[]> {
    const client = await this.#connect();
    let broken: Error | undefined;
    try {
      const result = await client.query<Row>({ name: statement.name, text: statement.text, values });
      return result.rows;
    } catch (error) {
      // What has no SQLSTATE did not come from PostgreSQL: the statement may still be under way.
      if (sqlState(error) === undefined) broken = error as Error;
      throw translateDatabaseError(error);
    } finally {
      client.release(broken);
    }
  }

  /**
   * Runs `work` in one transaction, committed when it resolves and rolled back when it rejects. Errors as for `query`.
   *
   * TypeORM's own would hand a connection back to the pool with its transaction open, when the ROLLBACK of a stalled one is given up
   * too: what the next user of that connection is told is stored would never be committed.
   */
  async transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    try {
      const client = (await runner.connect().catch((error: unknown) => {
        throw translateDatabaseError(error, 'not run');
      })) as PoolClient;
      try {
        await runner.startTransaction();
        const result = await work(runner.manager);
        await runner.commitTransaction();
        return result;
      } catch (error) {
        // A client that is ending never goes back to the pool.
        if (!(await isRolledBack(runner, error))) void client.end().catch(() => undefined);
        throw translateDatabaseError(error);
      }
    } finally {
      await runner.release();
    }
  }

  /** What `work` asks of TypeORM outside of a transaction, with the errors of `query`. */
  async translated<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw translateDatabaseError(error);
    }
  }

  async #connect(): Promise<PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw translateDatabaseError(error, 'not run');
    }
  }

  get #pool(): Pool {
    return (this.dataSource.driver as unknown as { master: Pool }).master;
  }
}

/** @returns false when the connection may still have the transaction open */
async function isRolledBack(runner: QueryRunner, error: unknown): Promise<boolean> {
  if (isOfConnection(error)) return false;
  if (!runner.isTransactionActive) return true;
  try {
    await runner.rollbackTransaction();
    return true;
  } catch {
    return false;
  }
}

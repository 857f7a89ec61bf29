import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { translateDatabaseError } from './database-error.js';

/** A statement that PostgreSQL plans once a connection; its name must be unique in the program. */
export interface Statement {
  name: string;
  text: string;
}

/** Where the hot paths meet PostgreSQL: prepared statements on TypeORM's own pool. */
@Injectable()
export class Sql {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /**
   * Runs one statement in a transaction of its own.
   * @throws {ChatError} `unavailable` when it was certainly not run, `timeout` when it waited too long or its fate is unknown
   * @throws the driver's error for everything that the statement itself is to blame for
   */
  async query<Row extends QueryResultRow>(statement: Statement, values: unknown[]): Promise<Row[]> {
    const client = await this.#connect();
    let broken: Error | undefined;
    try {
      const result = await client.query<Row>({ name: statement.name, text: statement.text, values });
      return result.rows;
    } catch (error) {
      // An error without a SQLSTATE came from the connection, which may still have the statement under way.
      if ((error as { code?: string }).code === undefined || !('severity' in (error as object))) broken = error as Error;
      throw translateDatabaseError(error);
    } finally {
      client.release(broken);
    }
  }

  /** Runs `work` in one transaction, committed when it resolves and rolled back when it rejects. Errors as for `query`. */
  async transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await this.dataSource.transaction(work);
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

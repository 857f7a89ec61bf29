import type { Socket } from 'node:net';
import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { CLEAN_CHANGES, POLL_CHANGES } from '../../src/changes/changes-statements.js';
import { REPORT_INSTANCE } from '../../src/changes/instances.js';

export interface StatementSums {
  statements: number;
  rows: number;
  /** As they come from PostgreSQL's sockets. */
  bytes: number;
}

/** Counts what a server's own connections to PostgreSQL are asked and answered, whichever part of it asks, but for the polls and reports of each few seconds. */
export class StatementCount {
  readonly #clients = new Set<pg.PoolClient>();
  #statements = 0;
  #rows = 0;
  #bytesBefore = 0;
  #largest = 0;
  #bytesAtLast = 0;

  constructor(dataSource: DataSource) {
    const { master } = dataSource.driver as unknown as { master: pg.Pool };
    master.on('acquire', (client) => this.#watch(client));
  }

  reset(): void {
    this.#statements = this.#rows = this.#largest = 0;
    this.#bytesBefore = this.#bytesAtLast = this.#bytesRead();
  }

  get sums(): StatementSums {
    return { statements: this.#statements, rows: this.#rows, bytes: this.#bytesRead() - this.#bytesBefore };
  }

  /** Bytes of the largest answer since the last reset, when one statement runs at a time. */
  get largestBytes(): number {
    return this.#largest;
  }

  #watch(client: pg.PoolClient): void {
    if (this.#clients.has(client)) return;
    this.#clients.add(client);
    const query = client.query.bind(client) as (...values: unknown[]) => unknown;
    const counted = (...values: unknown[]): unknown => {
      if (isOfClock(values[0])) return query(...values);
      this.#statements++;
      const result = query(...values);
      if (result instanceof Promise) void result.then((answer: pg.QueryResult) => this.#take(answer)).catch(() => {});
      return result;
    };
    client.query = counted as typeof client.query;
  }

  #take({ rowCount }: pg.QueryResult): void {
    this.#rows += rowCount ?? 0;
    const bytes = this.#bytesRead();
    this.#largest = Math.max(this.#largest, bytes - this.#bytesAtLast);
    this.#bytesAtLast = bytes;
  }

  #bytesRead(): number {
    let bytes = 0;
    for (const client of this.#clients) bytes += (client as unknown as { connection: { stream: Socket } }).connection.stream.bytesRead;
    return bytes;
  }
}

function isOfClock(statement: unknown): boolean {
  const { name } = Object(statement) as { name?: unknown };
  return [POLL_CHANGES.name, CLEAN_CHANGES.name, REPORT_INSTANCE.name].includes(String(name));
}

import { Injectable } from '@nestjs/common';
import { Lifecycle } from '../config/lifecycle.js';
import { Sql, type Statement } from '../database/sql.js';

/** Between two reports of an instance. */
export const REPORT_MS = 5_000;
/** Who has not been heard of for so long is gone. */
const GONE_SECONDS = 15;

// Rows of instances that ended without a word go by and by.
export const REPORT_INSTANCE: Statement = {
  name: 'report_instance',
  text: `WITH gone AS (DELETE FROM instances WHERE seen_at < clock_timestamp() - interval '1 hour')
    INSERT INTO instances (id, connections) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET connections = excluded.connections, seen_at = clock_timestamp()`,
};

const REMOVE_INSTANCE: Statement = { name: 'remove_instance', text: 'DELETE FROM instances WHERE id = $1' };

const LIST_INSTANCES: Statement = {
  name: 'list_instances',
  text: `SELECT id, started_at, seen_at, connections FROM instances
    WHERE seen_at > clock_timestamp() - $1 * interval '1 second' ORDER BY started_at, id`,
};

export interface LiveInstance {
  id: string;
  startedAt: string;
  seenAt: string;
  /** As of `seenAt`. */
  connections: number;
}

interface InstanceRow {
  id: string;
  started_at: Date;
  seen_at: Date;
  connections: number;
}

/** The instances that serve, as PostgreSQL knows them: with or without Redis. One that was killed is among them for some seconds more. */
@Injectable()
export class Instances {
  constructor(
    private readonly sql: Sql,
    private readonly lifecycle: Lifecycle,
  ) {}

  /** To be called each `REPORT_MS`. @param connections open on this instance */
  async report(connections: number): Promise<void> {
    await this.sql.query(REPORT_INSTANCE, [this.lifecycle.instanceId, connections]);
  }

  /** This instance is leaving: nobody waits for its answers any more. */
  async leave(): Promise<void> {
    await this.sql.query(REMOVE_INSTANCE, [this.lifecycle.instanceId]);
  }

  /** The oldest first. */
  async list(): Promise<LiveInstance[]> {
    const rows = await this.sql.query<InstanceRow>(LIST_INSTANCES, [GONE_SECONDS]);
    return rows.map(({ id, started_at, seen_at, connections }) => ({
      id,
      startedAt: started_at.toISOString(),
      seenAt: seen_at.toISOString(),
      connections,
    }));
  }
}

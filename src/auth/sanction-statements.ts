import type { Statement } from '../database/sql.js';

/** A condition: a ban of the user is on. @param user the alias of his row */
export const isBanned = (user: string): string =>
  `(${user}.banned_at IS NOT NULL AND coalesce(${user}.banned_until > clock_timestamp(), true))`;

/** Times are Unix milliseconds. */
export interface SanctionRow {
  id: string;
  at: number;
  until: number | null;
}

/** Of one kind of sanction on the whole server. The user may be one whom the server has not seen yet. */
interface SanctionStatements {
  /** All who are under it, as `SanctionRow`. */
  list: Statement;
  /** $1 user, $2 until, $3 reason, $4 by. A second time keeps the first one's beginning, unless that was over, and replaces the rest. */
  impose: Statement;
  /** $1 user */
  lift: Statement;
}

/** The columns and the acts of the one are named as those of the other. */
export const SANCTIONS = {
  ban: statementsOf('ban', 'banned'),
  mute: statementsOf('mute', 'muted'),
} as const;

function statementsOf(verb: string, done: string): SanctionStatements {
  const [at, until, reason, by] = [`${done}_at`, `${done}_until`, `${verb}_reason`, `${done}_by`];
  const ms = (time: string) => `extract(epoch FROM ${time})::float8 * 1000`;
  // The act's `at` is taken under the row's lock.
  const act = (kind: string, more = '') =>
    `SELECT record_act_v1(jsonb_build_object('kind', '${kind}', 'user', x.id, 'at', extract(epoch FROM x.at) * 1000${more})) AS act FROM x`;
  return {
    list: {
      name: `${done}_users`,
      text: `SELECT id, ${ms(at)} AS at, ${ms(until)} AS until FROM users WHERE ${at} IS NOT NULL`,
    },
    impose: {
      name: `${verb}_user`,
      text: `WITH x AS (
          INSERT INTO users (id, ${at}, ${until}, ${reason}, ${by}) VALUES ($1, clock_timestamp(), $2, $3, $4)
          ON CONFLICT (id) DO UPDATE SET ${until} = $2, ${reason} = $3, ${by} = $4, ${at} =
            CASE WHEN users.${at} IS NULL OR users.${until} <= clock_timestamp() THEN clock_timestamp() ELSE users.${at} END
          RETURNING id, clock_timestamp() AS at, ${until} AS until
        )
        ${act(`user.${done}`, `, 'until', floor(extract(epoch FROM x.until) * 1000)`)}`,
    },
    lift: {
      name: `un${verb}_user`,
      text: `WITH x AS (
          UPDATE users SET ${at} = NULL, ${until} = NULL, ${reason} = NULL, ${by} = NULL WHERE id = $1
          RETURNING id, clock_timestamp() AS at
        )
        ${act(`user.un${done}`)}`,
    },
  };
}

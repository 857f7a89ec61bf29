import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Administrators search by any part of a name, and messages by time. */
export class Searches1769410000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION message_seq_at_v1`);
    await runner.query(`CREATE INDEX users_name_prefix ON users (lower(name) text_pattern_ops)`);
    await runner.query(`CREATE INDEX accounts_username_prefix ON accounts (lower(username) text_pattern_ops)`);
    await runner.query(`CREATE INDEX rooms_name_prefix ON rooms (lower(name) text_pattern_ops) WHERE deleted_at IS NULL`);
  }
}

const UP = [
  // They served what a name begins with, and nothing else. The release before this one searches without them as well, more slowly.
  `DROP INDEX users_name_prefix, accounts_username_prefix, rooms_name_prefix`,

  // The seq from which on all messages of the room are of that time or later: in a room a later seq is never of an earlier time, so halving
  // finds it by some look-ups of the key, without an index by time that each send would have to write.
  `CREATE FUNCTION message_seq_at_v1(p_room uuid, p_at timestamptz) RETURNS bigint
  LANGUAGE plpgsql STABLE STRICT AS $$
  DECLARE
    v_low bigint;
    v_high bigint;
    v_middle bigint;
    v_seq bigint;
    v_at timestamptz;
  BEGIN
    SELECT r.first_seq, r.last_seq + 1 INTO v_low, v_high FROM rooms r WHERE r.id = p_room;
    WHILE v_low < v_high LOOP
      v_middle := (v_low + v_high) / 2;
      SELECT m.seq, m.created_at INTO v_seq, v_at FROM messages m WHERE m.room_id = p_room AND m.seq >= v_middle ORDER BY m.seq LIMIT 1;
      IF v_at < p_at THEN
        v_low := v_seq + 1;
      ELSE
        v_high := v_middle;
      END IF;
    END LOOP;
    RETURN v_low;
  END $$`,
];

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Bounds how many rooms a user may be a member of. */
export class RoomsPerUser1766550000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION append_joins_v3, full_users_v1, lock_user_rooms_v1, user_room_count_v1`);
  }
}

const UP = [
  // Rooms of the user that are not deleted, up to p_max.
  `CREATE FUNCTION user_room_count_v1(p_user text, p_max integer) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT count(*)::integer FROM (
      SELECT 1 FROM memberships m
      CROSS JOIN LATERAL (SELECT 1 FROM rooms x WHERE x.id = m.room_id AND x.deleted_at IS NULL LIMIT 1) r
      WHERE m.user_id = p_user LIMIT p_max
    ) c
  $$`,

  // Who adds users to rooms takes this until the end of the transaction, behind the locks of the rooms and in one order, so that nobody
  // waits in a circle: then what it counts stays so.
  `CREATE FUNCTION lock_user_rooms_v1(p_users text[]) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE v_key bigint;
  BEGIN
    FOR v_key IN SELECT DISTINCT hashtextextended(u, 7) AS k FROM unnest(p_users) u ORDER BY k LOOP
      PERFORM pg_advisory_xact_lock(v_key);
    END LOOP;
  END $$`,

  // Those of the users who may be added to no further room.
  `CREATE FUNCTION full_users_v1(p_users text[], p_max integer) RETURNS text[] LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM lock_user_rooms_v1(p_users);
    RETURN ARRAY(SELECT u FROM unnest(p_users) u WHERE user_room_count_v1(u, p_max) >= p_max);
  END $$`,

  // As the second version, which instances of the release before this one call; and status may be "too_many": the user's rooms.
  `CREATE FUNCTION append_joins_v3(p_rooms uuid[], p_users text[], p_large integer, p_max integer, p_user_max integer)
  RETURNS TABLE (ord integer, status text, role text, seq bigint, at timestamptz, epoch text, act jsonb)
  LANGUAGE plpgsql AS $$
  DECLARE
    v_over integer[];
    v_kept integer[];
  BEGIN
    PERFORM 1 FROM rooms r WHERE r.id = ANY (p_rooms) ORDER BY r.id FOR NO KEY UPDATE;
    PERFORM lock_user_rooms_v1(p_users);
    -- Only who would become a member: everybody else is told what he is told anyway.
    SELECT coalesce(array_agg(o.ord), '{}') INTO v_over FROM (
      SELECT d.ord::integer AS ord, d.user_id, dense_rank() OVER (PARTITION BY d.user_id ORDER BY d.room_id) AS place
      FROM unnest(p_rooms, p_users) WITH ORDINALITY AS d(room_id, user_id, ord)
      CROSS JOIN LATERAL (
        SELECT 1 FROM rooms x WHERE x.id = d.room_id AND x.type = 'public' AND x.deleted_at IS NULL AND x.archived_at IS NULL LIMIT 1
      ) r
      WHERE NOT EXISTS (SELECT 1 FROM memberships x WHERE x.room_id = d.room_id AND x.user_id = d.user_id)
        AND NOT EXISTS (SELECT 1 FROM room_bans x WHERE x.room_id = d.room_id AND x.user_id = d.user_id)
    ) o WHERE o.place + user_room_count_v1(o.user_id, p_user_max) > p_user_max;
    v_kept := ARRAY(SELECT i FROM generate_subscripts(p_rooms, 1) i WHERE i <> ALL (v_over) ORDER BY i);
    RETURN QUERY
      SELECT v_kept[j.ord], j.status, j.role, j.seq, j.at, j.epoch, j.act
      FROM append_joins_v2(
        ARRAY(SELECT p_rooms[k.i] FROM unnest(v_kept) WITH ORDINALITY k(i, n) ORDER BY k.n),
        ARRAY(SELECT p_users[k.i] FROM unnest(v_kept) WITH ORDINALITY k(i, n) ORDER BY k.n),
        p_large, p_max
      ) j
      UNION ALL
      SELECT o, 'too_many', NULL, NULL, NULL, NULL, NULL FROM unnest(v_over) o
      ORDER BY 1;
  END $$`,
];

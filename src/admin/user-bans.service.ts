import { Injectable } from '@nestjs/common';
import { RoomBus } from '../bus/room-bus.js';
import { Sql, type Statement } from '../database/sql.js';

// A user may be banned before the server has seen him. A second ban keeps the first one's time.
const BAN: Statement = {
  name: 'ban_user',
  text: `INSERT INTO users (id, banned_at) VALUES ($1, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET banned_at = coalesce(users.banned_at, excluded.banned_at)`,
};

const UNBAN: Statement = {
  name: 'unban_user',
  text: `UPDATE users SET banned_at = NULL WHERE id = $1 AND banned_at IS NOT NULL`,
};

/** Bans from the whole server: no login, no request, no socket. Committed first, then told to every instance. Repeats are harmless. */
@Injectable()
export class UserBansService {
  constructor(
    private readonly sql: Sql,
    private readonly bus: RoomBus,
  ) {}

  async ban(user: string): Promise<void> {
    await this.sql.query(BAN, [user]);
    this.bus.publishAct({ kind: 'user.banned', user });
  }

  async unban(user: string): Promise<void> {
    await this.sql.query(UNBAN, [user]);
    this.bus.publishAct({ kind: 'user.unbanned', user });
  }
}

import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { type Act, RoomBus } from '../bus/room-bus.js';
import { Sql, type Statement } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import type { Principal } from './principal.js';

/** No access token of a local account lives longer: the largest ACCESS_TOKEN_SECONDS, whatever it was when the token was signed. */
const LONGEST_TOKEN_MS = 86_400_000;

const REVOKED_SESSIONS: Statement = {
  name: 'revoked_sessions',
  text: `SELECT id FROM auth_sessions WHERE revoked_at > clock_timestamp() - $1 * interval '1 millisecond'`,
};

const BANNED_USERS: Statement = { name: 'banned_users', text: 'SELECT id FROM users WHERE banned_at IS NOT NULL' };

/**
 * Which tokens no longer count though they are signed and in time. In memory, so that asking costs nothing: loaded before the
 * server serves, then fed by acts.
 */
@Injectable()
export class Revocations implements OnModuleInit, OnApplicationShutdown {
  /** Session to the time (Unix ms) from which none of its tokens lives; in the order of revocation. */
  readonly #sessions = new Map<string, number>();
  readonly #banned = new Set<string>();
  #stopListening = () => {};

  constructor(
    private readonly sql: Sql,
    private readonly bus: RoomBus,
  ) {}

  async onModuleInit(): Promise<void> {
    // First listen, then load: an act in between is heard, and hearing of something twice changes nothing.
    this.#stopListening = this.bus.listen({ onAct: (act) => this.#learn(act) });
    const [sessions, banned] = await Promise.all([
      this.sql.query<{ id: string }>(REVOKED_SESSIONS, [LONGEST_TOKEN_MS]),
      this.sql.query<{ id: string }>(BANNED_USERS, []),
    ]);
    for (const { id } of sessions) this.#revokeSession(id);
    for (const { id } of banned) this.#banned.add(id);
  }

  onApplicationShutdown(): void {
    this.#stopListening();
  }

  /** @throws {ChatError} `forbidden` when the user is banned, `unauthenticated` when the token was revoked */
  assertValid(principal: Principal): void {
    if (this.#banned.has(principal.userId)) throw bannedUser();
    if (principal.sessionId !== null && this.#sessions.has(principal.sessionId)) {
      throw new ChatError('unauthenticated', 'The access token has been revoked.');
    }
  }

  #learn(act: Act): void {
    switch (act.kind) {
      case 'session.revoked':
        this.#revokeSession(act.session);
        break;
      case 'user.banned':
        this.#banned.add(act.user);
        break;
      case 'user.unbanned':
        this.#banned.delete(act.user);
        break;
    }
  }

  #revokeSession(id: string): void {
    const now = Date.now();
    for (const [session, until] of this.#sessions) {
      if (until > now) break;
      this.#sessions.delete(session);
    }
    this.#sessions.set(id, now + LONGEST_TOKEN_MS);
  }
}

export function bannedUser(): ChatError {
  return new ChatError('forbidden', 'The user is banned.');
}

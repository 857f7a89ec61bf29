import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Config } from '../config/config.js';
import { Sql } from '../database/sql.js';
import { guestId } from '../protocol/index.js';
import { LoginLimits } from './login-limits.js';
import { SIGNING_MOMENT } from './revocation-statements.js';
import { TokenService } from './tokens.service.js';
import { UserDirectory, type UserView } from './user-directory.js';

/** What a guest gets: his only token, which cannot be refreshed. */
export interface GuestPass {
  accessToken: string;
  /** Seconds. */
  expiresIn: number;
  user: UserView;
}

/** The role in a guest's token, for who looks at it; what he may is decided by his id (`isGuest`). */
const GUEST_ROLE = 'guest';

/** Users for an hour, whom nobody knows. Each is a new one. */
@Injectable()
export class GuestsService {
  constructor(
    private readonly config: Config,
    private readonly sql: Sql,
    private readonly limits: LoginLimits,
    private readonly tokens: TokenService,
    private readonly directory: UserDirectory,
  ) {}

  /** @throws {ChatError} `rate_limited`, `unavailable`, `timeout` */
  async enter(name: string | null, address: string): Promise<GuestPass> {
    await this.limits.attemptGuest(address);
    const id = guestId(uuidv7());
    await this.directory.open({ userId: id, name, roles: [GUEST_ROLE], sessionId: null });
    const [user] = await this.directory.find([id]);
    const expiresIn = this.config.guestTokenSeconds;
    const [moment] = await this.sql.query<{ signed_at: number }>(SIGNING_MOMENT, [id]);
    const claims = { sub: id, roles: [GUEST_ROLE], ...(name !== null && { name }), signedAt: moment!.signed_at };
    const accessToken = await this.tokens.sign(claims, expiresIn);
    return { accessToken, expiresIn, user: user! };
  }
}

import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Sql } from '../database/sql.js';
import { ChatError, validationFailed } from '../errors/chat-error.js';
import { isReserved } from '../protocol/index.js';
import type { Minter, Principal } from './principal.js';
import { SIGNING_MOMENT } from './revocation-statements.js';
import { ADMIN_ROLE, hasAllScopes } from './scopes.js';
import { MAX_MINTERS } from './token-claims.js';
import { TokenService } from './tokens.service.js';

export interface MintedTokenDraft {
  /** He may be one whom the server has not seen yet. */
  user: string;
  name?: string | undefined;
  roles?: readonly string[] | undefined;
  /** Without it, ACCESS_TOKEN_SECONDS. */
  expiresInSeconds?: number | undefined;
}

export interface MintedToken {
  accessToken: string;
  /** Seconds. */
  expiresIn: number;
}

/**
 * Access tokens that a backend, or an administrator, gets for its users. They belong to no login, and cannot be refreshed. Those that come from
 * an API key end with it: who has stolen one has no more of it when it is revoked. Those that a user had signed end with his own, when he is
 * signed out, banned or disabled, or his roles change.
 */
@Injectable()
export class MintedTokens {
  constructor(
    private readonly config: Config,
    private readonly sql: Sql,
    private readonly tokens: TokenService,
  ) {}

  /**
   * By an API key, for no longer than that lives.
   * @throws {ChatError} `forbidden` when the token is to have the role `admin`, or is for an administrator, and who asks may not do all that he
   * may; `validation_failed` for the id of a bot or a guest
   */
  async mint(by: Principal, { user, name, roles = [], expiresInSeconds }: MintedTokenDraft): Promise<MintedToken> {
    if (isReserved(user)) throw validationFailed([{ path: 'user', message: 'must not begin with bot: or guest:' }]);
    const [moment] = await this.sql.query<{ signed_at: number; is_administrator: boolean }>(SIGNING_MOMENT, [user]);
    if ((roles.includes(ADMIN_ROLE) || moment!.is_administrator) && !hasAllScopes(by)) {
      throw new ChatError('forbidden', 'Only who may do all that administrators may has a token signed for one.');
    }
    const fromKey = by.key?.id ?? by.fromKey;
    const asked = expiresInSeconds ?? this.config.accessTokenSeconds;
    const expiresIn = fromKey === undefined ? asked : Math.min(asked, Math.max(1, Math.floor((by.expiresAt - Date.now()) / 1000)));
    const claims = { sub: user, ...(name !== undefined && { name }), ...(roles.length > 0 && { roles }) };
    const accessToken = await this.tokens.sign({ ...claims, signedAt: moment!.signed_at, fromKey, mintedBy: mintersOf(by) }, expiresIn);
    return { accessToken, expiresIn };
  }
}

/** An API key's tokens end with the key, and with those that it was made by. */
function mintersOf({ userId, issuedAt, key, mintedBy = [] }: Principal): readonly Minter[] | undefined {
  const minters = key ? mintedBy : [{ userId, issuedAt }, ...mintedBy];
  if (minters.length > MAX_MINTERS) throw new ChatError('forbidden', 'The token goes through too many hands: log in, and ask by that.');
  return minters.length > 0 ? minters : undefined;
}

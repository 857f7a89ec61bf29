import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { ChatError } from '../errors/chat-error.js';
import type { Principal } from './principal.js';
import { ADMIN_ROLE, ALL_SCOPES, hasScope } from './scopes.js';
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

/** Access tokens that a backend, or an administrator, gets for its users. They belong to no login, and cannot be refreshed. */
@Injectable()
export class MintedTokens {
  constructor(
    private readonly config: Config,
    private readonly tokens: TokenService,
  ) {}

  /** @throws {ChatError} `forbidden` when the token is to have the role `admin`, and who asks has not all that it brings */
  async mint(by: Principal, { user, name, roles = [], expiresInSeconds }: MintedTokenDraft): Promise<MintedToken> {
    if (roles.includes(ADMIN_ROLE) && !ALL_SCOPES.every((scope) => hasScope(by, scope))) {
      throw new ChatError('forbidden', 'Only who may do all that administrators may can make one.');
    }
    const expiresIn = expiresInSeconds ?? this.config.accessTokenSeconds;
    const claims = { sub: user, ...(name !== undefined && { name }), ...(roles.length > 0 && { roles }) };
    return { accessToken: await this.tokens.sign(claims, expiresIn), expiresIn };
  }
}

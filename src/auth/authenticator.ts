import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { Config } from '../config/config.js';
import type { Principal } from './principal.js';
import { Revocations } from './revocations.js';
import { TicketsService } from './tickets.service.js';
import { TokenService } from './tokens.service.js';
import { readUpgradeCredentials } from './upgrade-credentials.js';
import { UserDirectory } from './user-directory.js';

/** Says who opens a socket, before it opens. */
@Injectable()
export class Authenticator {
  constructor(
    private readonly config: Config,
    private readonly tokens: TokenService,
    private readonly tickets: TicketsService,
    private readonly revocations: Revocations,
    private readonly directory: UserDirectory,
  ) {}

  /**
   * Walks the handshake's ladder, and makes the user known to this server. A ticket is used up even when its user is refused.
   * @throws {ChatError} `unauthenticated`, `forbidden` (banned), `validation_failed` (a malformed subprotocol), `unavailable`, `timeout`
   */
  async authenticateUpgrade(request: IncomingMessage): Promise<Principal> {
    this.revocations.assertCurrent();
    const { kind, value } = readUpgradeCredentials(request, { queryToken: this.config.wsQueryToken });
    const principal = kind === 'ticket' ? await this.tickets.redeem(value) : await this.tokens.verify(value);
    this.revocations.assertValid(principal);
    await this.directory.open(principal);
    return principal;
  }
}

import { Injectable } from '@nestjs/common';
import type { Claimed } from '../auth/authenticator.js';
import { Revocations } from '../auth/revocations.js';
import { TokenService } from '../auth/tokens.service.js';
import { ChatError } from '../errors/chat-error.js';
import { toChatError } from '../errors/http-error.js';
import { AccessRefusals } from './access-refusals.js';
import type { Session } from './session.js';

/** New tokens for open sockets. */
@Injectable()
export class Renewals {
  constructor(
    private readonly tokens: TokenService,
    private readonly revocations: Revocations,
    private readonly refusals: AccessRefusals,
  ) {}

  /**
   * The token's claims hold for later commands, and the socket lives as long as it.
   * @throws {ChatError} `unauthenticated`, `forbidden` (of another user, or of one who is banned), `unavailable`
   */
  async renew(session: Session, token: string): Promise<{ expiresAt: string }> {
    const claimed: Claimed = {};
    try {
      const principal = (claimed.principal = await this.tokens.verify(token));
      this.revocations.assertValid(principal);
      if (principal.userId !== session.userId) throw new ChatError('forbidden', 'The token is of another user.');
      session.renew(principal);
      return { expiresAt: new Date(principal.expiresAt).toISOString() };
    } catch (error) {
      this.refusals.noteRenewal(session, claimed, toChatError(error));
      throw error;
    }
  }
}

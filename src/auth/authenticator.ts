import { Injectable } from '@nestjs/common';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Config } from '../config/config.js';
import { ChatError, validationFailed } from '../errors/chat-error.js';
import { isBot, isGuest, LIMITS, textProblem } from '../protocol/index.js';
import { ApiKeys, looksLikeApiKey } from './api-keys.service.js';
import { ExpiredCredential } from './expired-credential.js';
import type { Principal } from './principal.js';
import { Revocations } from './revocations.js';
import { hasAllScopes } from './scopes.js';
import { TicketsService } from './tickets.service.js';
import { TokenService } from './tokens.service.js';
import { bearerToken, readUpgradeCredentials } from './upgrade-credentials.js';
import { UserDirectory } from './user-directory.js';

/** Names the user whom a backend acts for, percent-encoded where his id is not plain ASCII. */
export const ACTS_FOR = 'parley-user';

/** What is asked with credentials. */
export interface Claimed {
  /** Whom they proved, from the moment they did: who is then refused is known by name. */
  principal?: Principal;
  /** Of a request: what it showed is forged, was never given, or was taken back. What has expired is not false. */
  falseCredential?: 'token' | 'key';
}

/** Says who opens a socket, before it opens, and who makes a request, before it is looked at. Both make the user known to this server. */
@Injectable()
export class Authenticator {
  constructor(
    private readonly config: Config,
    private readonly tokens: TokenService,
    private readonly keys: ApiKeys,
    private readonly tickets: TicketsService,
    private readonly revocations: Revocations,
    private readonly directory: UserDirectory,
  ) {}

  /**
   * Walks the handshake's ladder. A ticket is used up even when its user is refused.
   * @throws {ChatError} `unauthenticated`, `forbidden` (banned, or may not act for whom he names), `validation_failed` (a malformed subprotocol or header),
   * `unavailable`, `timeout`
   */
  async authenticateUpgrade(request: IncomingMessage & Claimed): Promise<Principal> {
    this.revocations.assertCurrent();
    const { kind, value } = readUpgradeCredentials(request, { queryToken: this.config.wsQueryToken });
    const found = kind === 'ticket' ? await this.tickets.redeem(value) : await this.#identify(value);
    return this.#admit(found, request);
  }

  /** By the header `Authorization` alone. @throws {ChatError} as `authenticateUpgrade` */
  async authenticateRequest(request: Pick<IncomingMessage, 'headers'> & Claimed): Promise<Principal> {
    const token = bearerToken(request.headers.authorization);
    if (token === null) throw new ChatError('unauthenticated', 'An access token is needed: Authorization: Bearer <token>.');
    try {
      const found = await this.#identify(token);
      this.revocations.assertCurrent();
      return await this.#admit(found, request);
    } catch (error) {
      const isFalse = error instanceof ChatError && error.code === 'unauthenticated' && !(error instanceof ExpiredCredential);
      if (isFalse) request.falseCredential = looksLikeApiKey(token) ? 'key' : 'token';
      throw error;
    }
  }

  #identify(token: string): Promise<Principal> {
    return looksLikeApiKey(token) ? this.keys.verify(token) : this.tokens.verify(token);
  }

  async #admit(found: Principal, request: { headers: IncomingHttpHeaders } & Claimed): Promise<Principal> {
    request.principal = found;
    const acting = actingFor(found, request.headers[ACTS_FOR]);
    // A key is shown anew each time: what it does now is not of the time before its user was signed out.
    const principal = acting.key ? { ...acting, issuedAt: this.revocations.notVoid(acting.userId, acting.issuedAt) } : acting;
    request.principal = principal;
    this.revocations.assertValid(principal);
    // Whatever signed it, and while it was on: who turns them off wants none.
    if (!this.config.guests && isGuest(principal.userId)) throw new ChatError('unauthenticated', 'Guests are not let in on this server.');
    const { isAdministrator } = await this.directory.open(principal);
    // Who acts for him ends his logins, and reads and says what he may: that is for who may do the rest too.
    if (isAdministrator && principal.key && !hasAllScopes(principal)) {
      throw new ChatError('forbidden', 'Only an API key with all scopes acts for an administrator.');
    }
    return principal;
  }
}

// By an API key alone, since a ticket is in the hands of the user whom a backend got it for. It is never ignored: who believes to act for
// another must not act as himself.
function actingFor(caller: Principal, header: string | string[] | undefined): Principal {
  if (header === undefined) return caller;
  if (!caller.key?.scopes.includes('users:act')) {
    throw new ChatError('forbidden', 'Only an API key with the scope users:act may act for a user, by Parley-User.');
  }
  const userId = readUserId(header);
  if (isBot(userId) && userId !== caller.userId) throw new ChatError('forbidden', 'An API key acts for no other bot.');
  return { ...caller, userId, name: null };
}

function readUserId(header: string | string[]): string {
  let user: unknown;
  try {
    // Node joins several headers of one name by commas: which of them would it be?
    user = typeof header === 'string' && !header.includes(',') ? decodeURIComponent(header) : undefined;
  } catch {
    // not percent-encoded, and refused below
  }
  const problem = textProblem(user, 1, LIMITS.userIdChars);
  if (problem === null) return user as string;
  throw validationFailed([{ path: 'Parley-User', message: problem }]);
}

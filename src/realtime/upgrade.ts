import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { Authenticator } from '../auth/authenticator.js';
import type { Principal } from '../auth/principal.js';
import { Revocations } from '../auth/revocations.js';
import { Config } from '../config/config.js';
import { Lifecycle } from '../config/lifecycle.js';
import { Storm } from '../database/storm.js';
import { ChatError } from '../errors/chat-error.js';
import { assertFewHeaders } from '../errors/header-limit.js';
import { clientAddress } from '../limits/client-address.js';
import { OpenConnections } from '../limits/open-connections.js';
import { rateLimited, RateLimits } from '../limits/rate-limits.js';
import type { ClientInfo } from './session.js';
import { assertHandshake } from './upgrade-handshake.js';

/** More of it says nothing to an administrator, and is kept as long as the connection. */
const USER_AGENT_CHARS = 256;

/** Decides whether an upgrade request becomes a socket, cheapest question first. */
@Injectable()
export class Upgrade {
  constructor(
    private readonly config: Config,
    private readonly authenticator: Authenticator,
    private readonly revocations: Revocations,
    private readonly limits: RateLimits,
    private readonly lifecycle: Lifecycle,
    private readonly connections: OpenConnections,
    private readonly storm: Storm,
  ) {}

  /**
   * Counts the socket among the user's: `release` it when it is closed, or does not open.
   * @throws {ChatError} that the HTTP answer is made of: not_found, unavailable, rate_limited, forbidden, validation_failed, unauthenticated, timeout
   */
  async admit(request: IncomingMessage): Promise<Principal> {
    // Compared as it is: `new URL` throws on targets that HTTP lets through.
    if (request.url?.split('?', 1)[0] !== '/ws') throw new ChatError('not_found', 'There is no such path.');
    assertFewHeaders(request);
    this.#assertServing();
    const retryAfterMs = this.limits.takeHandshake(clientAddress(request, this.config.trustedProxies));
    if (retryAfterMs > 0) throw rateLimited(retryAfterMs, this.limits.handshakes.policy);
    this.#checkOrigin(request);
    assertHandshake(request);
    this.storm.arrived();
    const principal = await this.authenticator.authenticateUpgrade(request);
    await this.connections.claim(principal.userId);
    return principal;
  }

  /**
   * Asks again what may have changed since the user was asked for his token: call it in the turn in which the socket opens.
   * @throws {ChatError} unavailable, forbidden, unauthenticated
   */
  confirm(principal: Principal): void {
    this.#assertServing();
    this.revocations.assertValid(principal);
  }

  /** What was admitted has closed, or has not opened. */
  release(principal: Principal): void {
    this.connections.release(principal.userId);
  }

  /** Whom the request came from, for administrators to see. */
  clientOf(request: IncomingMessage): ClientInfo {
    const address = clientAddress(request, this.config.trustedProxies);
    return { address, userAgent: request.headers['user-agent']?.slice(0, USER_AGENT_CHARS) ?? null };
  }

  #assertServing(): void {
    if (this.lifecycle.isDraining) throw new ChatError('unavailable', 'The server is stopping.', { retryAfterMs: 1_000 });
  }

  #checkOrigin({ headers }: IncomingMessage): void {
    const { origin, host } = headers;
    // No browser leaves it out.
    if (origin === undefined) return;
    const { allowedOrigins } = this.config;
    const isAllowed = allowedOrigins.length > 0 ? allowedOrigins.includes(origin) : isOwnHost(origin, host);
    if (!isAllowed) throw new ChatError('forbidden', 'This Origin is not allowed.');
  }
}

function isOwnHost(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin) || !URL.canParse(`http://${host}`)) return false;
  return new URL(origin).hostname === new URL(`http://${host}`).hostname && new URL(origin).hostname !== '';
}

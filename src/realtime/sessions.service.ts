import { Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Principal } from '../auth/principal.js';
import { UserDirectory } from '../auth/user-directory.js';
import { RateLimits } from '../limits/rate-limits.js';
import { ephemeralFrame, FEATURES, LIMITS, TIMES } from '../protocol/index.js';
import { PresenceService } from '../presence/presence.service.js';
import { Metrics } from '../telemetry/metrics.js';
import { Hub } from './hub.js';
import { type ClientInfo, Session, type SessionHost } from './session.js';
import { SubscriptionsService } from './subscriptions.service.js';
import { TurnEnd } from './turn-end.js';

const { frameBytes, textChars, subscriptions, inFlight, replayEvents, largeRoom } = LIMITS;
const HELLO_LIMITS = { frameBytes, textChars, subscriptions, inFlight, replayEvents, largeRoom };

/** The life of a session: from the open socket to what must end when it closes. */
@Injectable()
export class Sessions implements SessionHost {
  readonly #logger = new Logger(Sessions.name);
  /** Set by the adapter once Nest has bound the gateway's handlers, before the server listens. */
  dispatch: SessionHost['dispatch'] = () => Promise.reject(new Error('No handlers are bound.'));

  constructor(
    readonly turnEnd: TurnEnd,
    private readonly hub: Hub,
    private readonly limits: RateLimits,
    private readonly directory: UserDirectory,
    private readonly presence: PresenceService,
    private readonly subscriptions: SubscriptionsService,
    private readonly metrics: Metrics,
  ) {}

  takeCommand(user: string, connection: string): number {
    this.metrics.counts.frames++;
    return this.limits.takeCommand(user, connection);
  }

  open(ws: WebSocket, socket: Socket, principal: Principal, client: ClientInfo): Session {
    const session = new Session(`c_${randomUUID()}`, principal, ws, socket, this, client);
    this.hub.add(session);
    this.metrics.counts.opened++;
    session.write(
      ephemeralFrame('hello', {
        connectionId: session.id,
        userId: session.userId,
        protocol: 'parley.v1',
        expiresAt: new Date(principal.expiresAt).toISOString(),
        heartbeatMs: TIMES.heartbeatMs,
        features: FEATURES,
        limits: HELLO_LIMITS,
      }),
    );
    this.#announce(session, principal);
    return session;
  }

  closed(session: Session): void {
    session.markClosed();
    this.metrics.closed(session.connection.closeReason ?? 'client');
    this.hub.remove(session);
    this.subscriptions.endAll(session);
    this.presence.forget(session);
    this.presence.disconnected(session.userId, session.id);
  }

  // The handshake has just asked for the same user, so this is answered from memory.
  #announce(session: Session, principal: Principal): void {
    this.directory
      .open(principal)
      .then(({ status }) => {
        if (!session.isClosed) this.presence.connected(session.userId, session.id, status);
      })
      .catch((error: Error) => this.#logger.warn(`A user's presence could not be announced: ${error.message}`));
  }
}

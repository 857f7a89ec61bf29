import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ephemeralFrame, TIMES } from '../protocol/index.js';
import { Hub } from './hub.js';
import type { Session } from './session.js';

const SWEEP_MS = 1_000;

/** Walks all sockets each second: pings them, drops the dead, warns of tokens that expire and closes on those that have. No timer a socket. */
@Injectable()
export class Heartbeat implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly hub: Hub) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.sweep(Date.now()), SWEEP_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.#timer);
  }

  /** @param now Unix milliseconds */
  sweep(now: number): void {
    for (const session of this.hub.sessions()) {
      session.connection.sweep(now);
      if (session.connection.isClosing) continue;
      this.#checkToken(session, now);
      if (now >= session.nextPingAt) this.#beat(session, now);
    }
  }

  #checkToken(session: Session, now: number): void {
    const { expiresAt } = session.principal;
    if (now >= expiresAt) return session.close('tokenExpired');
    if (session.isWarned || now < expiresAt - TIMES.expiryWarningMs) return;
    session.isWarned = true;
    session.write(ephemeralFrame('auth.expiring', { expiresAt: new Date(expiresAt).toISOString() }));
  }

  #beat(session: Session, now: number): void {
    if (session.nextPingAt > 0 && !session.beat()) return session.close('heartbeatMissed');
    session.nextPingAt = now + TIMES.heartbeatMs * (0.9 + 0.2 * Math.random());
  }
}

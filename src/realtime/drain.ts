import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { Config } from '../config/config.js';
import { ephemeralFrame } from '../protocol/index.js';
import { Hub } from './hub.js';
import type { Session } from './session.js';

/** How long a client may take to answer its close. */
const CLOSE_PATIENCE_MS = 1_000;

/**
 * Leaves cleanly: from the first signal on no socket is opened; every client is told when it will be closed, each at its own moment of
 * DRAIN_MS, and is served until then. Its commands under way are answered before its 4001.
 */
@Injectable()
export class Drain implements BeforeApplicationShutdown {
  readonly #logger = new Logger(Drain.name);
  #isDraining = false;

  constructor(
    private readonly config: Config,
    private readonly hub: Hub,
  ) {}

  get isDraining(): boolean {
    return this.#isDraining;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isDraining = true;
    const sessions = [...this.hub.sessions()];
    if (sessions.length === 0) return;
    this.#logger.log(`Letting ${sessions.length} connections go within ${this.config.drainMs} ms.`);
    await Promise.all(sessions.map((session, index) => this.#letGo(session, (index + 1) / sessions.length)));
  }

  async #letGo(session: Session, share: number): Promise<void> {
    // The last tenth is for what is under way.
    const reconnectInMs = Math.round(this.config.drainMs * 0.9 * share);
    session.write(ephemeralFrame('drain', { reconnectInMs }));
    await delay(reconnectInMs);
    await Promise.race([session.idle(), delay(this.config.drainMs * 0.1)]);
    session.close('draining');
    await Promise.race([session.closed, delay(CLOSE_PATIENCE_MS)]);
    // The HTTP server cannot end before the last socket.
    session.connection.terminate();
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

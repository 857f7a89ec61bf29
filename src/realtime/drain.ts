import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Lifecycle } from '../config/lifecycle.js';
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

  constructor(
    private readonly config: Config,
    private readonly lifecycle: Lifecycle,
    private readonly hub: Hub,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.lifecycle.drain();
    const sessions = [...this.hub.sessions()];
    if (sessions.length === 0) return;
    this.#logger.log(`Letting ${sessions.length} connections go within ${this.config.drainMs} ms.`);
    await Promise.all(sessions.map((session, index) => this.#letGo(session, (index + 1) / sessions.length)));
  }

  async #letGo(session: Session, share: number): Promise<void> {
    // The last tenth is for what is under way.
    const reconnectInMs = Math.round(this.config.drainMs * 0.9 * share);
    session.write(ephemeralFrame('drain', { reconnectInMs }));
    // A client that goes by itself is not waited for.
    await within(reconnectInMs, session.closed);
    await within(this.config.drainMs * 0.1, session.idle());
    session.close('draining');
    await within(CLOSE_PATIENCE_MS, session.closed);
    // The HTTP server cannot end before the last socket.
    session.connection.terminate();
  }
}

/** Waits for the end of what is under way, and no longer than this. */
async function within(ms: number, end: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeIsUp = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([end, timeIsUp]);
  clearTimeout(timer);
}

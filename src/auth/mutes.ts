import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Acts } from '../changes/acts.js';
import { ChangesFeed } from '../changes/changes-feed.js';
import { Sql } from '../database/sql.js';
import type { ChatError } from '../errors/chat-error.js';
import { type SanctionRow, SANCTIONS } from './sanction-statements.js';
import { type Mute, mutedError, Sanctions, type Standing } from './sanctions.js';

const RETRY_MS = 1_000;

/**
 * Who is muted on the whole server. Loaded before the server serves, then fed by the acts of all instances as revocations are. When it could
 * not be read for a while, what was known goes on to hold: a mute is no lock, and a moment more or less of it is.
 */
@Injectable()
export class Mutes implements OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger(Mutes.name);
  #mutes = new Sanctions();
  /** While all is read anew: what is to take the place of `#mutes`, and hears of what happens meanwhile. */
  #fresh: Sanctions | null = null;
  readonly #endings: (() => unknown)[];

  constructor(
    private readonly sql: Sql,
    private readonly feed: ChangesFeed,
    acts: Acts,
  ) {
    this.#endings = [
      acts.listen((act) => {
        if (act.kind === 'user.muted') this.#learn(act.user, { isOn: true, at: act.at, until: act.until });
        else if (act.kind === 'user.unmuted') this.#learn(act.user, { isOn: false, at: act.at });
      }),
      feed.listen({ onMissed: () => this.#reload() }),
    ];
  }

  async onModuleInit(): Promise<void> {
    // First the feed, then the load: an act in between is heard, and hearing of something twice changes nothing.
    await this.feed.start();
    await this.#load();
  }

  onApplicationShutdown(): void {
    for (const end of this.#endings) end();
  }

  /** The user's mute on the whole server; null when he has none. */
  find(user: string): Mute | null {
    const mute = this.#mutes.of(user);
    return mute && { until: mute.until === null ? null : new Date(mute.until) };
  }

  /** @returns what the user is told when he would say something, anywhere; undefined when he may */
  refusal(user: string): ChatError | undefined {
    const mute = this.find(user);
    return mute ? mutedError(mute.until, 'server') : undefined;
  }

  #learn(user: string, standing: Standing): void {
    this.#mutes.learn(user, standing);
    this.#fresh?.learn(user, standing);
  }

  async #load(): Promise<void> {
    const rows = await this.sql.query<SanctionRow>(SANCTIONS.mute.list, []);
    for (const { id, at, until } of rows) this.#learn(id, { isOn: true, at, until });
  }

  #reload(): void {
    // Mutes that were lifted in the meantime are not in what is read.
    this.#fresh = new Sanctions();
    this.#load().then(
      () => {
        if (this.#fresh) this.#mutes = this.#fresh;
        this.#fresh = null;
      },
      (error: Error) => {
        this.#logger.error(`Mutes cannot be read anew; trying again: ${error.message}`);
        setTimeout(() => this.#reload(), RETRY_MS).unref();
      },
    );
  }
}

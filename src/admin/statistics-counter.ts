import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { RecurringWork } from '../database/recurring-work.js';
import { Sql, type Statement } from '../database/sql.js';
import {
  CLAIM_COUNTING,
  COUNT_ARRIVALS,
  COUNT_MESSAGES,
  type Counted,
  GROWN_ROOMS,
  NOTE_CONNECTIONS,
  type Progress,
  READ_PROGRESS,
  SAVE_PROGRESS,
  UNCOUNTED_ROOMS,
} from './statistics-statements.js';

/** Far less than `changes` keeps its rows. */
const COUNT_MS = 20_000;
/** What one transaction counts at most, so that it is a short one: the rooms share the seqs. */
const MAX_ROOMS = 1_000;
const MAX_SEQS = 200_000;

/**
 * Fills the statistics, some seconds behind the logs. Every instance tries, one at a time does it, and one that finds it just done leaves
 * it: so it goes on when an instance ends. After a pause it counts what it missed, in short transactions.
 */
@Injectable()
export class StatisticsCounter implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(StatisticsCounter.name);
  readonly #counting = new RecurringWork(
    COUNT_MS,
    () => this.count(COUNT_MS / 2_000),
    (error) => this.#logger.warn(`Statistics cannot be counted; trying again: ${error.message}`),
  );

  constructor(private readonly sql: Sql) {}

  onApplicationBootstrap(): void {
    this.#counting.start();
  }

  onApplicationShutdown(): void {
    this.#counting.stop();
  }

  /**
   * Counts all that is not counted yet; nothing when another instance is at it. Repeats change nothing.
   * @param unlessWithinSeconds nothing either when the last count is no older than this
   */
  async count(unlessWithinSeconds = 0): Promise<void> {
    let messages = 0;
    for (let isDone = false; !isDone;) {
      const step = await this.sql.transaction((manager) => this.#step(manager, messages, unlessWithinSeconds));
      messages += step.messages;
      isDone = step.isDone || this.#counting.isStopped;
    }
  }

  /** @param before messages that earlier steps of this count have counted */
  async #step(manager: EntityManager, before: number, unlessWithinSeconds: number): Promise<{ messages: number; isDone: boolean }> {
    const [claim] = await run<{ mine: boolean }>(manager, CLAIM_COUNTING);
    if (!claim!.mine) return { messages: 0, isDone: true };
    const progress = (await run<Progress>(manager, READ_PROGRESS))[0]!;
    if (progress.seconds < unlessWithinSeconds) return { messages: 0, isDone: true };
    const rooms = progress.isMissed
      ? await run<{ id: string }>(manager, UNCOUNTED_ROOMS, [MAX_ROOMS])
      : await run<{ id: string }>(manager, GROWN_ROOMS, [progress.from, MAX_ROOMS]);
    const ids = rooms.map(({ id }) => id);
    const { messages, isWhole } = (await run<Counted>(manager, COUNT_MESSAGES, [ids, Math.floor(MAX_SEQS / Math.max(ids.length, 1))]))[0]!;
    // What is left is found again by the next step, which begins where this one did.
    if (!isWhole || rooms.length === MAX_ROOMS) return { messages, isDone: false };
    await run(manager, COUNT_ARRIVALS, [hourOf(progress.countedAt)]);
    await run(manager, NOTE_CONNECTIONS);
    const perMinute = Math.round(((before + messages) * 60) / Math.max(progress.seconds, 1));
    await run(manager, SAVE_PROGRESS, [progress.next, perMinute]);
    return { messages, isDone: true };
  }
}

async function run<Row>(manager: EntityManager, { text }: Statement, values: unknown[] = []): Promise<Row[]> {
  return manager.query<Row[]>(text, values);
}

/** Commits may be late by seconds: what was counted at the very start of an hour may lack some of the hour before. */
function hourOf(countedAt: Date): Date {
  const start = new Date(countedAt.getTime() - 60_000);
  start.setUTCMinutes(0, 0, 0);
  return start;
}

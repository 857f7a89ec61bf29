import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { Instances, REPORT_MS } from '../changes/instances.js';
import { Hub } from './hub.js';

/** A stopping server waits no longer than this to be forgotten. */
const LEAVE_MS = 500;

/** Says every few seconds that this instance is there, and how many connections it has, until it drains. */
@Injectable()
export class InstanceReport implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger(InstanceReport.name);
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;
  #isStopped = false;

  constructor(
    private readonly hub: Hub,
    private readonly instances: Instances,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.#report();
    this.#schedule();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    // Whatever the database does: the others stop expecting this instance some seconds later anyway.
    const leaving = this.instances.leave().catch(() => undefined);
    await Promise.race([leaving, delay(LEAVE_MS, undefined, { ref: false })]);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#report().finally(() => this.#schedule()), REPORT_MS);
    this.#timer.unref();
  }

  async #report(): Promise<void> {
    try {
      await this.instances.report(this.hub.size);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#logger.warn(`The others cannot be told that this instance is there: ${(error as Error).message}`);
      this.#isFailing = true;
    }
  }
}

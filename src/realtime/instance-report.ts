import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { Instances, REPORT_MS } from '../changes/instances.js';
import { Hub } from './hub.js';

/** Says every few seconds that this instance is there, and how many connections it has, until it drains. */
@Injectable()
export class InstanceReport implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger(InstanceReport.name);
  #timer: NodeJS.Timeout | undefined;
  #reporting: Promise<void> = Promise.resolve();
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
    await this.#reporting;
    // The others stop expecting it some seconds later anyway.
    await this.instances.leave().catch(() => undefined);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#reporting = this.#report();
      void this.#reporting.finally(() => this.#schedule());
    }, REPORT_MS);
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

import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';

/** Whether this server is leaving: from then on it opens no socket and says that it is not ready, and serves who is there. */
@Injectable()
export class Lifecycle {
  /** Names this run of this process among all instances; never used again. */
  readonly instanceId = randomUUID();
  #isDraining = false;

  get isDraining(): boolean {
    return this.#isDraining;
  }

  drain(): void {
    this.#isDraining = true;
  }
}

import { Injectable } from '@nestjs/common';

/** Whether this server is leaving: from then on it opens no socket and says that it is not ready, and serves who is there. */
@Injectable()
export class Lifecycle {
  #isDraining = false;

  get isDraining(): boolean {
    return this.#isDraining;
  }

  drain(): void {
    this.#isDraining = true;
  }
}

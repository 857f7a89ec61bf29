import { Injectable } from '@nestjs/common';

const REST_MS = 1_000;

/** After a command of the limits failed, Redis is asked nothing more for a second: a hanging one costs one caller 100 ms, and not all of them. */
@Injectable()
export class RedisBreaker {
  #openUntil = 0;

  get isClosed(): boolean {
    return performance.now() >= this.#openUntil;
  }

  open(): void {
    this.#openUntil = performance.now() + REST_MS;
  }
}

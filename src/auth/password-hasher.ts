import { Injectable, type OnModuleInit } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { randomBytes } from 'node:crypto';
import { ChatError } from '../errors/chat-error.js';

/** argon2id, OWASP's first choice: 19 MiB, two passes, one lane. */
const COST = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** The threads that hash are shared with DNS and files, and each takes its own 19 MiB. */
const AT_ONCE = 2;
const MAX_WAITING = 200;

/** Passwords: argon2id, a few at a time; the rest waits in order. Over 200 waiting are refused by `unavailable`. */
@Injectable()
export class PasswordHasher implements OnModuleInit {
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #decoy = '';

  async onModuleInit(): Promise<void> {
    this.#decoy = await hash(randomBytes(16), COST);
  }

  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(password, COST));
  }

  /** Takes as long for an account that is not there (null) as for a wrong password. */
  verify(stored: string | null, password: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const matches = await verify(stored ?? this.#decoy, password);
      return matches && stored !== null;
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= AT_ONCE) {
      if (this.#waiting.length >= MAX_WAITING) throw new ChatError('unavailable', 'Too many log in at once.', { retryAfterMs: 2000 });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

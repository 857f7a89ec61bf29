import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { RecurringWork } from '../database/recurring-work.js';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { RoomLog } from '../log/room-log.js';
import { LIMITS } from '../protocol/index.js';
import { findMember, removeMember } from './membership-changes.js';
import { GONE_GUESTS, REMOVE_GUESTS, ROOMS_OF_GUESTS } from './departed-guests-statements.js';

const SWEEP_MS = 60_000;
/** The longest GUEST_TOKEN_SECONDS, whatever it was when a token was signed, and an hour for clocks that differ. */
const STAY_SECONDS = 86_400 + 3_600;
/** What one step does at most, so that each is short, and one sweep, so that others get their turn. */
const MAX_GUESTS = 100;
const MAX_ROOMS = 100;
const MAX_STEPS = 20;
const FIRST = 'guest:';

/**
 * Lets guests go who cannot come back: they leave their rooms, as they would by themselves, and of whom nothing is left that is read by
 * name, the row goes too. Who has sent a message stays known, so that the history has his name. Every instance does it; what is done
 * already is done.
 */
@Injectable()
export class DepartedGuests implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(DepartedGuests.name);
  /** Those up to here are dealt with: who was kept is not looked at again before the next start. */
  #after = FIRST;
  readonly #sweeping = new RecurringWork(
    SWEEP_MS,
    () => this.sweep(),
    (error) => this.#logger.warn(`Guests cannot be let go; trying again: ${error.message}`),
  );

  constructor(
    private readonly sql: Sql,
    private readonly log: RoomLog,
  ) {}

  onApplicationBootstrap(): void {
    this.#sweeping.start();
  }

  onApplicationShutdown(): void {
    this.#sweeping.stop();
  }

  /** Goes on where the last one stopped. @throws {ChatError} unavailable, timeout: what is not done is done by the next */
  async sweep(): Promise<void> {
    for (let step = 0; step < MAX_STEPS && !this.#sweeping.isStopped; step++) {
      const guests = (await this.sql.query<{ id: string }>(GONE_GUESTS, [this.#after, STAY_SECONDS, MAX_GUESTS])).map(({ id }) => id);
      if (guests.length === 0) return;
      const rooms = await this.sql.query<{ room: string; guests: string[] }>(ROOMS_OF_GUESTS, [guests, MAX_ROOMS]);
      for (const { room, guests: members } of rooms) await this.#leave(room, members);
      // They may be in more rooms.
      if (rooms.length === MAX_ROOMS) continue;
      await this.sql.query(REMOVE_GUESTS, [guests]);
      this.#after = guests.at(-1)!;
    }
  }

  async #leave(room: string, guests: readonly string[]): Promise<void> {
    try {
      await this.log.transact(room, async (tx) => {
        for (const guest of guests) {
          const member = await findMember(tx, guest);
          const silent = tx.room.memberCount > LIMITS.largeRoom;
          if (member) await removeMember(tx, member, { ends: 'left', by: guest, silent });
        }
      });
    } catch (error) {
      // Deleted meanwhile: nobody is in it.
      if (!(error instanceof ChatError && error.code === 'not_found')) throw error;
    }
  }
}

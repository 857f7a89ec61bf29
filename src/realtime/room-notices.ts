import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { Act } from '../bus/room-bus.js';
import { Acts } from '../changes/acts.js';
import { type ClosedReason, ephemeralFrame, type Role } from '../protocol/index.js';
import { RoomsRepository } from '../rooms/rooms.repository.js';
import { Hub } from './hub.js';
import { TurnEnd } from './turn-end.js';

/** A room may be asked for when the database has just gone away. */
const ATTEMPTS = 30;
const RETRY_MS = 1_000;

/** Tells users, by all their connections here, of rooms that they were added to or removed from, whether they follow them or not. */
@Injectable()
export class RoomNotices implements OnApplicationShutdown {
  readonly #logger = new Logger(RoomNotices.name);
  readonly #stopListening: () => void;
  #isStopped = false;

  constructor(
    private readonly hub: Hub,
    private readonly turnEnd: TurnEnd,
    private readonly rooms: RoomsRepository,
    acts: Acts,
  ) {
    this.#stopListening = acts.listen((act) => this.#onAct(act));
  }

  onApplicationShutdown(): void {
    this.#isStopped = true;
    this.#stopListening();
  }

  #onAct(act: Act): void {
    switch (act.kind) {
      case 'room.added':
        this.#follow(act.room, () => this.#tellAdded(act.room, act.users, act.role));
        break;
      case 'room.removed':
        if (act.users === 'members') this.#follow(act.room, () => this.#tellMembers(act.room, act.reason));
        else this.#tellRemoved(act.users, act.room, act.reason);
        break;
      case 'access.ended':
        this.#tellRemoved([act.user], act.room, act.reason);
        break;
    }
  }

  async #tellAdded(room: string, users: readonly string[], role: Role): Promise<void> {
    if (!users.some((user) => this.hub.ofUser(user).size > 0)) return;
    const view = await this.rooms.find(room);
    // Gone again: the act that says so is on its way, or was here.
    if (!view) return;
    const frame = ephemeralFrame('room.added', { room: view, role });
    for (const user of users) for (const session of this.hub.ofUser(user)) session.write(frame);
  }

  async #tellMembers(room: string, reason: ClosedReason): Promise<void> {
    this.#tellRemoved(await this.rooms.membersAmong(room, this.hub.users()), room, reason);
  }

  // Behind the event itself and `room.closed`, where the connection follows the room.
  #tellRemoved(users: readonly string[], room: string, reason: ClosedReason): void {
    const here = users.filter((user) => this.hub.ofUser(user).size > 0);
    if (here.length === 0) return;
    const frame = ephemeralFrame('room.removed', { room, reason });
    this.turnEnd.afterStreams(() => {
      for (const user of here) for (const session of this.hub.ofUser(user)) session.write(frame);
    });
  }

  #follow(room: string, tell: () => Promise<void>, attempt = 1): void {
    tell().catch((error: Error) => {
      if (this.#isStopped) return;
      if (attempt === ATTEMPTS) this.#logger.warn(`Users were not told of the room ${room}: ${error.message}`);
      else setTimeout(() => this.#follow(room, tell, attempt + 1), RETRY_MS).unref();
    });
  }
}

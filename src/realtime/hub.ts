import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type Act, RoomBus, type RoomNote, type Signal } from '../bus/room-bus.js';
import { type ClosedReason, ephemeralFrame, type Role } from '../protocol/index.js';
import { RoomStreams } from './room-streams.js';
import type { Session } from './session.js';
import { TurnEnd } from './turn-end.js';

/** The sockets of this instance, by user, and what reaches them without being asked for, but for the rooms' logs. */
@Injectable()
export class Hub implements OnApplicationShutdown {
  readonly #users = new Map<string, Set<Session>>();
  readonly #stopListening: () => void;
  #size = 0;

  constructor(
    private readonly streams: RoomStreams,
    private readonly turnEnd: TurnEnd,
    bus: RoomBus,
  ) {
    this.#stopListening = bus.listen({
      onNote: (note) => this.#onNote(note),
      onSignal: (signal) => this.#onSignal(signal),
      onAct: (act) => this.#onAct(act),
    });
  }

  onApplicationShutdown(): void {
    this.#stopListening();
  }

  get size(): number {
    return this.#size;
  }

  *sessions(): Iterable<Session> {
    for (const sessions of this.#users.values()) yield* sessions;
  }

  ofUser(user: string): ReadonlySet<Session> {
    return this.#users.get(user) ?? NONE;
  }

  add(session: Session): void {
    let sessions = this.#users.get(session.userId);
    if (!sessions) this.#users.set(session.userId, (sessions = new Set()));
    sessions.add(session);
    this.#size++;
  }

  remove(session: Session): void {
    const sessions = this.#users.get(session.userId);
    if (!sessions?.delete(session)) return;
    this.#size--;
    if (sessions.size === 0) this.#users.delete(session.userId);
  }

  #onSignal({ audience, frame, key }: Signal): void {
    const receivers =
      audience.kind === 'everybody'
        ? this.sessions()
        : audience.kind === 'user'
          ? this.ofUser(audience.user)
          : (this.streams.get(audience.room)?.audience(audience.exceptUser) ?? []);
    for (const receiver of receivers) receiver.deliver(frame, key);
  }

  #onNote(note: RoomNote): void {
    for (const { ends, user } of note.events) if (ends && user !== null) this.#tellRemoved(user, note.room, ends);
  }

  #onAct(act: Act): void {
    switch (act.kind) {
      case 'session.revoked':
        for (const session of this.sessions()) if (session.principal.sessionId === act.session) session.close('revoked');
        break;
      case 'user.banned':
        for (const session of this.ofUser(act.user)) session.close('banned');
        break;
      case 'access.ended':
        this.#tellRemoved(act.user, act.room, act.reason);
        break;
      case 'room.removed':
        for (const user of act.users) this.#tellRemoved(user, act.room, act.reason);
        break;
      case 'room.added': {
        const frame = ephemeralFrame('room.added', { room: act.room, role: act.role as Role });
        for (const session of this.ofUser(act.user)) session.write(frame);
        break;
      }
    }
  }

  // Behind the event itself and `room.closed`, where the connection follows the room.
  #tellRemoved(user: string, room: string, reason: ClosedReason): void {
    if (!this.#users.has(user)) return;
    const frame = ephemeralFrame('room.removed', { room, reason });
    this.turnEnd.afterStreams(() => {
      for (const session of this.ofUser(user)) session.write(frame);
    });
  }
}

const NONE: ReadonlySet<Session> = new Set();

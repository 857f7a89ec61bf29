import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type Act, RoomBus, type RoomNote } from '../bus/room-bus.js';
import { Lifecycle } from '../config/lifecycle.js';
import { Acts } from '../changes/acts.js';
import { ephemeralFrame, LIMITS, TIMES } from '../protocol/index.js';
import { RoomAccess } from '../rooms/access.service.js';
import { PresenceStore } from './presence-store.js';

/**
 * One user typing in one room, by any of his connections.
 *
 * - starting: it is not known yet whether he may; nothing was announced.
 * - announced: the room was told, last at `announcedAt`.
 * - ended: out of the index; whoever still waits for its start leaves it alone.
 */
interface Typist {
  readonly user: string;
  readonly room: string;
  readonly connections: Set<string>;
  lapse: NodeJS.Timeout | undefined;
  /** Unix milliseconds; null while starting. */
  announcedAt: number | null;
  ended: boolean;
}

/** Who subscribes late learns of a typist who goes on by this time. */
const REPEAT_MS = 3_000;
/** Who hears of a typist gives up later than this instance, which says that he stopped. */
const LAPSE_ELSEWHERE_MS = TIMES.typingLapseMs + 2_000;

/**
 * Tells a room who is typing. Each announced start has its end: by stop, by lapse, by a message of the typist, by the end of his access,
 * by his hiding, or when the last connection that he typed on closes.
 */
@Injectable()
export class TypingService implements OnApplicationShutdown {
  /** By room, then by user. */
  readonly #rooms = new Map<string, Map<string, Typist>>();
  readonly #byConnection = new Map<string, Set<Typist>>();
  readonly #endings: (() => unknown)[];

  constructor(
    private readonly store: PresenceStore,
    private readonly access: RoomAccess,
    private readonly bus: RoomBus,
    private readonly lifecycle: Lifecycle,
    acts: Acts,
  ) {
    this.#endings = [bus.listen({ onNote: (note) => this.#onNote(note) }), acts.listen((act) => this.#onAct(act))];
  }

  onApplicationShutdown(): void {
    for (const end of this.#endings) end();
    for (const typists of this.#rooms.values()) for (const { lapse } of typists.values()) clearTimeout(lapse);
    this.#rooms.clear();
    this.#byConnection.clear();
  }

  /** Typists known now, for tests of what is kept. */
  get size(): number {
    let size = 0;
    for (const typists of this.#rooms.values()) size += typists.size;
    return size;
  }

  /**
   * Starts, or goes on. Large rooms are told nothing, and nobody is told of an invisible user; both without an error.
   * @throws {ChatError} not_found, forbidden, conflict, unavailable, timeout
   */
  async start(user: string, room: string, connection: string): Promise<void> {
    const typist = this.#rooms.get(room)?.get(user) ?? this.#add(user, room);
    this.#join(typist, connection);
    typist.lapse?.refresh();
    if (typist.announcedAt !== null && Date.now() - typist.announcedAt < REPEAT_MS) return;
    let mayBeShown = false;
    try {
      mayBeShown = await this.#mayBeShown(user, room);
    } finally {
      if (!mayBeShown) this.#end(typist);
    }
    if (!typist.ended) this.#announceStart(typist);
  }

  /** @throws {ChatError} as start */
  async stop(user: string, room: string, connection: string): Promise<void> {
    const typist = this.#rooms.get(room)?.get(user);
    // Who has been announced was let in, and an end of access would have ended it.
    const isKnownMember = typist !== undefined && typist.announcedAt !== null;
    if (typist) this.#leave(typist, connection);
    if (!isKnownMember) await this.access.require(user, room, 'typing');
  }

  /** The connection has closed. */
  forget(connection: string): void {
    for (const typist of this.#byConnection.get(connection) ?? []) this.#leave(typist, connection);
  }

  /** Ends the user's typing everywhere. */
  endOf(user: string): void {
    for (const typists of this.#rooms.values()) this.#end(typists.get(user));
  }

  async #mayBeShown(user: string, room: string): Promise<boolean> {
    const { room: facts } = await this.access.require(user, room, 'typing');
    if (facts.memberCount > LIMITS.largeRoom) return false;
    return (await this.store.visible([user])).has(user);
  }

  #announceStart(typist: Typist): void {
    // Several starts may have waited for the same answer.
    if (typist.announcedAt !== null && Date.now() - typist.announcedAt < REPEAT_MS) return;
    typist.announcedAt = Date.now();
    if (typist.lapse) typist.lapse.refresh();
    else typist.lapse = setTimeout(() => this.#end(typist), TIMES.typingLapseMs).unref();
    this.#publish(typist, true);
  }

  #onNote({ room, events }: RoomNote): void {
    const typists = this.#rooms.get(room);
    if (!typists) return;
    for (const { event, user, ends } of events) {
      if (ends !== null && user === null) for (const typist of typists.values()) this.#end(typist);
      else if (event === 'message.created' || ends !== null) this.#end(typists.get(user!));
    }
  }

  #onAct(act: Act): void {
    if (act.kind === 'access.ended') this.#end(this.#rooms.get(act.room)?.get(act.user));
    // What ended his access by an event may not have been heard of by the bus.
    else if (act.kind === 'room.removed' && act.users !== 'members')
      for (const user of act.users) this.#end(this.#rooms.get(act.room)?.get(user));
  }

  #add(user: string, room: string): Typist {
    let typists = this.#rooms.get(room);
    if (!typists) this.#rooms.set(room, (typists = new Map<string, Typist>()));
    const typist: Typist = { user, room, connections: new Set(), lapse: undefined, announcedAt: null, ended: false };
    typists.set(user, typist);
    return typist;
  }

  #join(typist: Typist, connection: string): void {
    typist.connections.add(connection);
    let typing = this.#byConnection.get(connection);
    if (!typing) this.#byConnection.set(connection, (typing = new Set()));
    typing.add(typist);
  }

  #leave(typist: Typist, connection: string): void {
    typist.connections.delete(connection);
    this.#unlink(typist, connection);
    if (typist.connections.size === 0) this.#end(typist);
  }

  #end(typist: Typist | undefined): void {
    if (!typist || typist.ended) return;
    typist.ended = true;
    clearTimeout(typist.lapse);
    for (const connection of typist.connections) this.#unlink(typist, connection);
    const typists = this.#rooms.get(typist.room);
    typists?.delete(typist.user);
    if (typists?.size === 0) this.#rooms.delete(typist.room);
    if (typist.announcedAt !== null) this.#publish(typist, false);
  }

  #unlink(typist: Typist, connection: string): void {
    const typing = this.#byConnection.get(connection);
    typing?.delete(typist);
    if (typing?.size === 0) this.#byConnection.delete(connection);
  }

  #publish({ user, room }: Typist, active: boolean): void {
    const frame = (isActive: boolean) => ephemeralFrame('typing', { user, active: isActive }, room);
    this.bus.publishSignal({
      audience: { kind: 'room', room, exceptUser: user },
      frame: frame(active),
      key: `typing:${room}:${user}`,
      // He may type on another instance too, and this one may die before it says that he stopped.
      source: this.lifecycle.instanceId,
      ...(active && { lapse: { afterMs: LAPSE_ELSEWHERE_MS, frame: frame(false) } }),
    });
  }
}

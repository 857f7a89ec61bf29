import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Revocations } from '../auth/revocations.js';
import { type Act, RoomBus, type Signal } from '../bus/room-bus.js';
import { Acts } from '../changes/acts.js';
import { ChangesFeed } from '../changes/changes-feed.js';
import { ephemeralFrame } from '../protocol/index.js';
import { Metrics } from '../telemetry/metrics.js';
import { HeldSignals } from './held-signals.js';
import { RoomStreams } from './room-streams.js';
import type { Session } from './session.js';

/** The sockets of this instance, by user, and what reaches them without being asked for, but for the rooms' logs. */
@Injectable()
export class Hub implements OnApplicationShutdown {
  readonly #users = new Map<string, Set<Session>>();
  readonly #held = new HeldSignals((end) => this.#deliver(end));
  readonly #endings: (() => unknown)[];
  #size = 0;

  constructor(
    private readonly streams: RoomStreams,
    private readonly revocations: Revocations,
    bus: RoomBus,
    acts: Acts,
    changes: ChangesFeed,
    metrics: Metrics,
  ) {
    metrics.source('connections', () => this.size);
    metrics.source('slowConnections', () => this.#sum(({ isSlow }) => Number(isSlow)));
    metrics.source('unsentBytes', () => this.#sum(({ unsentBytes }) => unsentBytes));
    this.#endings = [
      bus.listen({ onSignal: (signal) => this.#held.take(signal) && this.#deliver(signal) }),
      acts.listen((act) => this.#onAct(act)),
      changes.listen({ onMissed: () => this.#letAllGo() }),
    ];
  }

  onApplicationShutdown(): void {
    for (const end of this.#endings) end();
    this.#held.close();
  }

  get size(): number {
    return this.#size;
  }

  *sessions(): Iterable<Session> {
    for (const sessions of this.#users.values()) yield* sessions;
  }

  users(): readonly string[] {
    return [...this.#users.keys()];
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

  #sum(amount: (connection: Session['connection']) => number): number {
    let sum = 0;
    for (const { connection } of this.sessions()) sum += amount(connection);
    return sum;
  }

  #deliver({ audience, frame, key }: Signal): void {
    const receivers =
      audience.kind === 'everybody'
        ? this.sessions()
        : audience.kind === 'user'
          ? this.ofUser(audience.user)
          : (this.streams.get(audience.room)?.audience(audience.exceptUser) ?? []);
    for (const receiver of receivers) receiver.deliver(frame, key);
  }

  #onAct(act: Act): void {
    switch (act.kind) {
      case 'connection.closed':
        for (const session of this.sessions()) if (session.id === act.connection) session.close('closedByAdministrator');
        break;
      case 'user.disconnected':
        for (const session of this.ofUser(act.user)) session.close('closedByAdministrator');
        break;
      case 'notice':
        return this.#deliver({ audience: act.audience, frame: ephemeralFrame('notice', act.data), key: `notice:${act.notice}` });
      case 'session.revoked':
      case 'token.revoked':
        return this.#closeInvalid(this.ofUser(act.user));
      // His, and those by tokens that he had signed for others; of a bot, all that its key opened.
      case 'user.revoked':
      case 'user.banned':
      case 'user.disabled':
        this.#closeInvalid(this.ofUser(act.user));
        return this.#closeInvalid(this.#lentSessions());
      // A key opens sockets of any user.
      case 'key.revoked':
        return this.#closeInvalid(this.sessions());
    }
  }

  // Whoever may not be here any more goes, whatever act said so; the others stay.
  #closeInvalid(sessions: Iterable<Session>): void {
    for (const session of sessions) {
      const verdict = this.revocations.verdict(session.principal);
      if (verdict !== 'valid') session.close(CLOSES[verdict]);
    }
  }

  /** Those whose users owe them to somebody else: to another user, or to an API key. */
  *#lentSessions(): Iterable<Session> {
    for (const session of this.sessions()) {
      const { mintedBy, fromKey, key } = session.principal;
      if (mintedBy !== undefined || fromKey !== undefined || key !== undefined) yield session;
    }
  }

  // Kicks and revocations may be among what this instance does not know of. Its clients come back, are asked for their tokens and
  // memberships as everybody is, and go on where they were.
  #letAllGo(): void {
    for (const session of this.sessions()) session.close('internal');
  }
}

/** To a client it is all one why its user may not be here. */
const CLOSES = { banned: 'banned', disabled: 'banned', revoked: 'revoked' } as const;

const NONE: ReadonlySet<Session> = new Set();

import type { EventTrace } from '../telemetry/tracing.js';
import type { ChosenStatus, ClosedReason, DurableEvent, EphemeralEvents, Role } from '../protocol/index.js';

/**
 * Glossary
 * - log event: one durable event of a room, with its place and its encoded frame.
 * - note: "this room's log grew", with the new events when they are small enough to send along.
 * - signal: an ephemeral frame and who is to get it.
 * - act: something that ends or changes access, or is told by an administrator, and must reach every connection of the users concerned.
 */

export interface LogEvent {
  seq: number;
  event: DurableEvent;
  /** The message's sender, or the member concerned; null for an event of the room itself. */
  user: string | null;
  /** When this event ends access: why. It ends `user`'s, or everybody's when `user` is null. */
  ends: ClosedReason | null;
  /** A whole WebSocket text frame, encoded once. */
  frame: Buffer;
  /** Of an event whose making is traced. A hint like the rest: it may be lost where the event is not. */
  trace?: EventTrace;
}

export interface RoomNote {
  room: string;
  epoch: string;
  /** Seq of the log's head after the growth. */
  headSeq: number;
  /** In seq order, without a gap, up to `headSeq`; empty when only the growth is known. */
  events: readonly LogEvent[];
}

export type Audience = { kind: 'room'; room: string; exceptUser?: string } | { kind: 'user'; user: string } | { kind: 'everybody' };

export interface Signal {
  audience: Audience;
  frame: Buffer;
  /** A later signal of the same key makes this one pointless: a slow connection keeps only the last of each. */
  key: string;
  /** The frame tells of something that goes on: where no later signal of the key and the source comes in time, it has ended. */
  lapse?: Lapse;
  /** Several sources may tell of one thing. The end of one, a signal without `lapse`, is not delivered while another's goes on. */
  source?: string;
}

export interface Lapse {
  afterMs: number;
  /** What receivers deliver then. */
  frame: Buffer;
}

export type Act =
  /** Access tokens of this session (`sid`) of the user are void. */
  | { kind: 'session.revoked'; session: string; user: string }
  /** The access token of this `jti` is void until it expires, at this time (Unix ms). An instance of an older release names no issuer, and means any. */
  | { kind: 'token.revoked'; token: string; issuer?: string; user: string; expiresAt: number }
  /** Access tokens of the user that were issued up to this time (Unix s, with a fraction) are void. */
  | { kind: 'user.revoked'; user: string; notBefore: number }
  /** The API key is void for ever, and with it the sockets that were opened by it, whoever's they are. */
  | { kind: 'key.revoked'; key: string }
  /**
   * `at` (Unix ms, with a fraction) says which of two acts about one user's ban, or his mute, is the later one; `until` (Unix ms) is when
   * it ends by itself. An instance of an older release gives none, and reads none.
   */
  | { kind: 'user.banned'; user: string; at: number; until?: number | null }
  | { kind: 'user.unbanned'; user: string; at: number }
  | { kind: 'user.muted'; user: string; at: number; until?: number | null }
  | { kind: 'user.unmuted'; user: string; at: number }
  /** As with a ban, `at` says which of two is the later one. */
  | { kind: 'user.disabled'; user: string; at: number }
  | { kind: 'user.enabled'; user: string; at: number }
  /** The connection closes, wherever it is open. */
  | { kind: 'connection.closed'; connection: string }
  /** All connections of the user close that are open when this is heard. */
  | { kind: 'user.disconnected'; user: string }
  /** The user's access to the room ended without an event of its own, at the log's head `atSeq`. */
  | { kind: 'access.ended'; room: string; user: string; reason: ClosedReason; atSeq: number }
  /** The room is gone for these users, or for all who were its members, whether they follow it or not. */
  | { kind: 'room.removed'; users: readonly string[] | 'members'; room: string; reason: ClosedReason }
  | { kind: 'room.added'; users: readonly string[]; room: string; role: Role }
  | { kind: 'status.chosen'; user: string; status: ChosenStatus }
  /** An administrator tells something to whom is connected when this is heard. `notice` names it. */
  | { kind: 'notice'; notice: string; audience: Audience; data: EphemeralEvents['notice'] };

/** What one instance wants to know of the others; JSON. */
export interface Question {
  id: string;
  kind: string;
  ask: unknown;
}

export interface Answer {
  /** Id of the question. */
  question: string;
  /** Id of the instance that answers. */
  instance: string;
  answer: unknown;
}

/** An act as it was committed; JSON. */
export interface RecordedAct {
  /** Names the act: it may be heard more than once. */
  id: string;
  /** The transaction that it was committed in, as PostgreSQL's xid8. */
  xid: string;
  act: Act;
}

export interface BusListener {
  /** Called synchronously, in the order of publishing; must not throw. */
  onNote?(note: RoomNote): void;
  onSignal?(signal: Signal): void;
  onAct?(recorded: RecordedAct): void;
  onQuestion?(question: Question): void;
  /** To a question of whichever instance. */
  onAnswer?(answer: Answer): void;
}

export interface BusHealth {
  status: 'up' | 'down';
  /** When it is down: why, in words for the operator that name no host. */
  reason?: string;
}

/**
 * Tells the sockets of all instances, this one's included, what has happened. A hint: a note may come late, twice, out of order or
 * never, and the receiver makes up for it from the log. Publishing never blocks, never throws and never waits for a network.
 * Local listeners are called before `publish…` returns.
 */
export abstract class RoomBus {
  abstract publishNote(note: RoomNote): void;
  abstract publishSignal(signal: Signal): void;
  abstract publishAct(recorded: RecordedAct): void;
  abstract publishQuestion(question: Question): void;
  abstract publishAnswer(answer: Answer): void;

  /**
   * From when this resolves, notes and room signals of the room published anywhere are heard here, as far as the network lets them.
   * Counted: each follow needs its own unfollow. Resolves within a second even when the network is down.
   */
  abstract follow(room: string): Promise<void>;
  abstract unfollow(room: string): void;

  /** @returns a function that ends the listening. */
  abstract listen(listener: BusListener): () => void;

  /** Whether what is published is delivered, as was proved some seconds ago at most; costs nothing to ask. */
  abstract health(): BusHealth;

  /** When something that was published is last known not to have gone out (ms on the monotonic clock); null: all has, as far as is known. */
  abstract get droppedAt(): number | null;
}

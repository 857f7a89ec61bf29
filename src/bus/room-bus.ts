import type { ClosedReason, DurableEvent, RoomView } from '../protocol/index.js';

/**
 * Glossary
 * - log event: one durable event of a room, with its place and its encoded frame.
 * - note: "this room's log grew", with the new events when they are small enough to send along.
 * - signal: an ephemeral frame and who is to get it.
 * - act: something that ends or changes access, and must reach every connection of the users concerned.
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
}

export type Act =
  /** Tokens of this session (`sid`) end. */
  | { kind: 'session.revoked'; session: string }
  | { kind: 'user.banned'; user: string }
  | { kind: 'user.unbanned'; user: string }
  /** The user's access to the room ended without an event of its own, at the log's head `atSeq`. */
  | { kind: 'access.ended'; room: string; user: string; reason: ClosedReason; atSeq: number }
  /** The room is gone for all of these users, whether they follow it or not. */
  | { kind: 'room.removed'; users: readonly string[]; room: string; reason: ClosedReason }
  | { kind: 'room.added'; user: string; room: RoomView; role: string }
  | { kind: 'status.chosen'; user: string; status: string };

export interface BusListener {
  /** Called synchronously, in the order of publishing; must not throw. */
  onNote?(note: RoomNote): void;
  onSignal?(signal: Signal): void;
  onAct?(act: Act): void;
}

/**
 * Tells the sockets of all instances, this one's included, what has happened. A hint: a note may come late, twice, out of order or
 * never, and the receiver makes up for it from the log. Publishing never blocks, never throws and never waits for a network.
 * Local listeners are called before `publish…` returns.
 */
export abstract class RoomBus {
  abstract publishNote(note: RoomNote): void;
  abstract publishSignal(signal: Signal): void;
  abstract publishAct(act: Act): void;

  /**
   * From when this resolves, notes and room signals of the room published anywhere are heard here, as far as the network lets them.
   * Counted: each follow needs its own unfollow. Resolves within a second even when the network is down.
   */
  abstract follow(room: string): Promise<void>;
  abstract unfollow(room: string): void;

  /** @returns a function that ends the listening. */
  abstract listen(listener: BusListener): () => void;
}

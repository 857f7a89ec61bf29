import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Act } from '../bus/room-bus.js';
import type { ChatError } from '../errors/chat-error.js';
import type { ClosedReason, DurableEvent, DurableEvents, Meta, Role } from '../protocol/index.js';
import type { RoomEntity } from './room.entity.js';

/** Who may send. The one rule that the log judges itself, in the statement that numbers the messages. */
export const POSTING_ROLES: readonly Role[] = ['owner', 'moderator', 'member'];

export interface MessageDraft {
  room: string;
  sender: string;
  clientId: string;
  text: string;
  meta: Meta;
  /** Why the sender may send nothing new. A message that is there already is a duplicate all the same, and a stranger is told what strangers are. */
  barred?: ChatError | undefined;
}

export interface AppendedMessage {
  seq: number;
  createdAt: string;
  /** The message was there already: the same room, sender and clientId. */
  duplicate: boolean;
}

export interface Joined {
  role: Role;
}

export interface Recording<E extends DurableEvent> {
  /** The message's sender, or the member concerned; null for an event of the room itself. */
  user: string | null;
  data: DurableEvents[E] | ((seq: number) => DurableEvents[E]);
  /** The event ends `user`'s access (everybody's when `user` is null), for this reason. */
  ends?: ClosedReason;
  /** For an event about a message: its seq. What is kept of `data` is then the message's own row. */
  messageSeq?: number;
}

/** What may be done under a room's lock. Everything is committed together, and published only after the commit. */
export interface LogTransaction {
  /** TypeORM's manager of this transaction, for the caller's own rows. */
  manager: EntityManager;
  /** The locked room as it stands, not deleted; changed columns are saved by the caller, except lastSeq and lastAt. `record` raises lastSeq here. */
  room: RoomEntity;
  /** The time of every event of this transaction: not before any event that the log has. */
  at: Date;
  /** Gives the event the room's next seq. @returns that seq. */
  record<E extends DurableEvent>(event: E, recording: Recording<E>): number;
  /** Commits the act with the rest, and publishes it afterwards. An event that ends a user's access announces `room.removed` by itself. */
  announce(act: Act): void;
}

/** The one place that assigns seq. Every writer of a room takes the room's row lock first. */
@Injectable()
export abstract class RoomLog {
  /** Appends in batches. A resolved promise means committed. @throws {ChatError} not_found, forbidden, unavailable, timeout */
  abstract send(draft: MessageDraft): Promise<AppendedMessage>;
  /** Joins a public room, in batches. @throws {ChatError} not_found, forbidden, conflict */
  abstract join(room: string, user: string): Promise<Joined>;
  /** @throws {ChatError} not_found when the room does not exist or is deleted, and what `work` throws: then nothing is written or published */
  abstract transact<T>(room: string, work: (tx: LogTransaction) => Promise<T>): Promise<T>;
}

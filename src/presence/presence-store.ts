import type { ChosenStatus, PresenceStatus } from '../protocol/index.js';

/**
 * Glossary
 * - connection: one open socket of a user; its id is unique over all instances.
 * - chosen: what the user wants to be shown as. It is stored elsewhere; the store knows it while the user is connected.
 * - visible: what others may see: the chosen status while any connection is open, else `offline`. Invisible shows as `offline`,
 *   and nothing that the store says of an invisible user differs from what it says of one who is not there.
 */
export type OnlineStatus = Exclude<PresenceStatus, 'offline'>;

/** A user's visible state became another. `at` is when; on the way to `offline` it is when the user was last seen. */
export interface VisibleChange {
  user: string;
  status: PresenceStatus;
  at: Date;
}

/**
 * Who is connected, over all instances. Lost on restart. Calls for one user take effect in the order in which they are made here.
 * A call that makes a visible change resolves with it, others with null; so each change has one caller, whichever instance it is on.
 */
export abstract class PresenceStore {
  /** `chosen` counts for the first connection only: what `choose` said of a connected user is newer. A known connection is no change. */
  abstract connect(user: string, connection: string, chosen: ChosenStatus): Promise<VisibleChange | null>;
  /** An unknown connection is no change. After the last one nothing is kept of the user. */
  abstract disconnect(user: string, connection: string): Promise<VisibleChange | null>;
  /** Nothing is kept of a user who is not connected. */
  abstract choose(user: string, status: ChosenStatus): Promise<VisibleChange | null>;
  /** Those of the users who are visibly online; the others are `offline`. */
  abstract visible(users: readonly string[]): Promise<Map<string, OnlineStatus>>;
  /** All users who are visibly online, in parts of a few thousand. One who is online throughout is named exactly once. */
  abstract online(): Iterable<string[]> | AsyncIterable<string[]>;
  /** Hears each visible change from now on, made anywhere, in order for each user; must not throw. @returns what ends the listening. */
  abstract listen(listener: (change: VisibleChange) => void): () => void;
}

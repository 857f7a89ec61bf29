import type { ChosenStatus, PresenceStatus } from '../protocol/index.js';

/**
 * Glossary
 * - connection: one open socket of a user; its id is unique over all instances.
 * - chosen: what the user wants to be shown as. It is stored elsewhere; the store knows it while the user is connected.
 * - visible: what others may see: the chosen status while any connection is open, else `offline`. Invisible shows as `offline`,
 *   and nothing that the store says of an invisible user differs from what it says of one who is not there.
 * - apart: the state that the instances share cannot be reached. Until it can, the store goes by the connections of this instance.
 */
export type OnlineStatus = Exclude<PresenceStatus, 'offline'>;

/** A user's visible state became another. `at` is when; on the way to `offline` it is when the user was last seen. */
export interface VisibleChange {
  user: string;
  status: PresenceStatus;
  at: Date;
}

/** None of these may throw. */
export interface PresenceListener {
  /** Each visible change, made anywhere, in order for each user. While the store is apart: those of the users who are connected here. */
  onChange?(change: VisibleChange): void;
  /** Changes may not have been heard: whoever keeps states must ask for them anew. */
  onMissed?(): void;
  /**
   * A visible change that no call resolves with, such as the end of the users of an instance that died. One instance hears it; only when
   * that one fails does another hear it again, with the same `at`.
   */
  onUncalled?(change: VisibleChange): void;
}

/**
 * Who is connected, over all instances. Lost on restart. Calls for one user take effect in the order in which they are made here. No
 * call waits over 100 ms for a network, and none rejects because of one.
 *
 * A call that makes a visible change resolves with it, others with null; what changes without a call is told to `onUncalled`. So each
 * change has one place that answers for it, on whichever instance. An instance that is apart answers for what it sees itself.
 */
export abstract class PresenceStore {
  /** `chosen` counts for the first connection only: what `choose` said of a connected user is newer. A known connection is no change. */
  abstract connect(user: string, connection: string, chosen: ChosenStatus): Promise<VisibleChange | null>;
  /** An unknown connection is no change. After the last one nothing is kept of the user. */
  abstract disconnect(user: string, connection: string): Promise<VisibleChange | null>;
  /** Called on every instance. Nothing is kept of a user who is not connected, and one who is connected elsewhere is left to those instances. */
  abstract choose(user: string, status: ChosenStatus): Promise<VisibleChange | null>;
  /** Those of the users who are visibly online; the others are `offline`. Apart, it knows only who is connected here. */
  abstract visible(users: readonly string[]): Promise<Map<string, OnlineStatus>>;
  /** All users who are visibly online, in parts of a few thousand. One who is online throughout is named exactly once. Apart, as `visible`. */
  abstract online(): Iterable<string[]> | AsyncIterable<string[]>;
  /** Whether what it says now is of all instances: false while it is apart. */
  abstract get isWhole(): boolean;
  /** @returns what ends the listening. */
  abstract listen(listener: PresenceListener): () => void;
  /**
   * This instance ends, and has closed its connections. Its users who have come back elsewhere stay online throughout; the others are
   * `offline` when this resolves, or a few seconds later by another instance.
   */
  abstract leave(): Promise<void>;
}

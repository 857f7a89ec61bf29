import { Injectable } from '@nestjs/common';
import type { ChosenStatus } from '../protocol/index.js';
import { ConnectedUsers } from './connected-users.js';
import { type OnlineStatus, type PresenceListener, PresenceStore, type VisibleChange } from './presence-store.js';

const PART_SIZE = 2_000;

/** The presence of a server that is alone. A call has taken effect, and its listeners have been called, when it returns. */
@Injectable()
export class MemoryPresenceStore extends PresenceStore {
  readonly isWhole = true;
  readonly #users = new ConnectedUsers();
  readonly #listeners = new Set<PresenceListener>();

  override connect(user: string, connection: string, chosen: ChosenStatus): Promise<VisibleChange | null> {
    return this.#tell(this.#users.connect(user, connection, chosen));
  }

  override disconnect(user: string, connection: string): Promise<VisibleChange | null> {
    return this.#tell(this.#users.disconnect(user, connection));
  }

  override choose(user: string, status: ChosenStatus): Promise<VisibleChange | null> {
    return this.#tell(this.#users.choose(user, status));
  }

  override visible(users: readonly string[]): Promise<Map<string, OnlineStatus>> {
    const visible = new Map<string, OnlineStatus>();
    for (const user of users) {
      const status = this.#users.status(user);
      if (status !== 'offline') visible.set(user, status);
    }
    return Promise.resolve(visible);
  }

  override online(): Iterable<string[]> {
    return partsOf([...this.#users.names()].filter((user) => this.#users.status(user) !== 'offline'));
  }

  override listen(listener: PresenceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  override leave(): Promise<void> {
    // Each user went with his last connection.
    return Promise.resolve();
  }

  #tell(change: VisibleChange | null): Promise<VisibleChange | null> {
    if (change) for (const listener of this.#listeners) listener.onChange?.(change);
    return Promise.resolve(change);
  }
}

function* partsOf(users: string[]): Iterable<string[]> {
  for (let start = 0; start < users.length; start += PART_SIZE) yield users.slice(start, start + PART_SIZE);
}

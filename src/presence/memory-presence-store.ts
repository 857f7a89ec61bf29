import { Injectable } from '@nestjs/common';
import type { ChosenStatus, PresenceStatus } from '../protocol/index.js';
import { type OnlineStatus, PresenceStore, type VisibleChange } from './presence-store.js';

interface Connected {
  chosen: ChosenStatus;
  connections: Set<string>;
}

const PART_SIZE = 2_000;

/** The presence of a server that is alone. A call has taken effect, and its listeners have been called, when it returns. */
@Injectable()
export class MemoryPresenceStore extends PresenceStore {
  readonly #users = new Map<string, Connected>();
  readonly #listeners = new Set<(change: VisibleChange) => void>();

  override connect(user: string, connection: string, chosen: ChosenStatus): Promise<VisibleChange | null> {
    return this.#change(user, () => {
      const connected = this.#users.get(user);
      if (connected) connected.connections.add(connection);
      else this.#users.set(user, { chosen, connections: new Set([connection]) });
    });
  }

  override disconnect(user: string, connection: string): Promise<VisibleChange | null> {
    return this.#change(user, () => {
      const connected = this.#users.get(user);
      connected?.connections.delete(connection);
      if (connected?.connections.size === 0) this.#users.delete(user);
    });
  }

  override choose(user: string, status: ChosenStatus): Promise<VisibleChange | null> {
    return this.#change(user, () => {
      const connected = this.#users.get(user);
      if (connected) connected.chosen = status;
    });
  }

  override visible(users: readonly string[]): Promise<Map<string, OnlineStatus>> {
    const visible = new Map<string, OnlineStatus>();
    for (const user of users) {
      const status = this.#status(user);
      if (status !== 'offline') visible.set(user, status);
    }
    return Promise.resolve(visible);
  }

  override online(): Iterable<string[]> {
    return partsOf([...this.#users.keys()].filter((user) => this.#status(user) !== 'offline'));
  }

  override listen(listener: (change: VisibleChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #change(user: string, act: () => void): Promise<VisibleChange | null> {
    const before = this.#status(user);
    act();
    const status = this.#status(user);
    if (status === before) return Promise.resolve(null);
    const change = { user, status, at: new Date() };
    for (const listener of this.#listeners) listener(change);
    return Promise.resolve(change);
  }

  #status(user: string): PresenceStatus {
    const chosen = this.#users.get(user)?.chosen ?? 'invisible';
    return chosen === 'invisible' ? 'offline' : chosen;
  }
}

function* partsOf(users: string[]): Iterable<string[]> {
  for (let start = 0; start < users.length; start += PART_SIZE) yield users.slice(start, start + PART_SIZE);
}

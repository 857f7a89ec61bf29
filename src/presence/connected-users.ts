import type { ChosenStatus, PresenceStatus } from '../protocol/index.js';
import type { VisibleChange } from './presence-store.js';

interface Connected {
  chosen: ChosenStatus;
  readonly connections: Set<string>;
}

/** The users who are connected to this instance, and what each has chosen. A call returns the visible change that it made, if any. */
export class ConnectedUsers {
  readonly #users = new Map<string, Connected>();

  has(user: string): boolean {
    return this.#users.has(user);
  }

  names(): Iterable<string> {
    return this.#users.keys();
  }

  /** @returns undefined when the user is not connected */
  chosen(user: string): ChosenStatus | undefined {
    return this.#users.get(user)?.chosen;
  }

  status(user: string): PresenceStatus {
    return visibleAs(this.#users.get(user)?.chosen ?? 'invisible');
  }

  /** `chosen` counts for the first connection only. */
  connect(user: string, connection: string, chosen: ChosenStatus): VisibleChange | null {
    return this.#change(user, () => {
      const connected = this.#users.get(user);
      if (connected) connected.connections.add(connection);
      else this.#users.set(user, { chosen, connections: new Set([connection]) });
    });
  }

  /** After the last one nothing is kept of the user. */
  disconnect(user: string, connection: string): VisibleChange | null {
    return this.#change(user, () => {
      const connected = this.#users.get(user);
      connected?.connections.delete(connection);
      if (connected?.connections.size === 0) this.#users.delete(user);
    });
  }

  /** Nothing is kept of a user who is not connected. */
  choose(user: string, status: ChosenStatus): VisibleChange | null {
    return this.#change(user, () => {
      const connected = this.#users.get(user);
      if (connected) connected.chosen = status;
    });
  }

  #change(user: string, act: () => void): VisibleChange | null {
    const before = this.status(user);
    act();
    const status = this.status(user);
    return status === before ? null : { user, status, at: new Date() };
  }
}

/** What others see of a connected user. */
function visibleAs(chosen: ChosenStatus): PresenceStatus {
  return chosen === 'invisible' ? 'offline' : chosen;
}

import { ChatError } from '../errors/chat-error.js';

/** A ban or a mute that is on. */
export interface Sanction {
  /** When it ends by itself (Unix ms); null: not before it is lifted. */
  until: number | null;
}

/** A mute, in a room or on the whole server. */
export interface Mute {
  /** When it ends by itself; null: not before it is lifted. */
  until: Date | null;
}

/** What was heard of one user: the last act decides, whatever order they come in. */
export interface Standing {
  isOn: boolean;
  /** Unix ms, with a fraction. */
  at: number;
  until?: number | null | undefined;
}

/** Users under one kind of sanction, in memory, so that asking costs nothing. One whose time is over counts as none, without a timer. */
export class Sanctions {
  readonly #standings = new Map<string, Standing>();

  learn(user: string, standing: Standing): void {
    if (standing.at >= (this.#standings.get(user)?.at ?? 0)) this.#standings.set(user, standing);
  }

  of(user: string): Sanction | null {
    const standing = this.#standings.get(user);
    if (!standing?.isOn) return null;
    const { until = null } = standing;
    return until === null || until > Date.now() ? { until } : null;
  }

  /** Before all is read anew: those that were lifted in the meantime are not in what is read. */
  clear(): void {
    this.#standings.clear();
  }
}

/** What who is muted is told, in a room or everywhere, when he would say something. */
export function mutedError(until: Date | null, where: 'room' | 'server'): ChatError {
  const end = until === null ? '' : ` until ${until.toISOString()}`;
  return new ChatError('forbidden', where === 'room' ? `You are muted in this room${end}.` : `You are muted${end}.`);
}

import { Batcher } from '../database/batcher.js';
import { ChatError } from '../errors/chat-error.js';

export interface LaneOptions<Draft> {
  lanes: number;
  roomOf: (draft: Draft) => string;
  bytesOf: (draft: Draft) => number;
  /** Commits the drafts in one transaction: all or none. Answers each in order; throws when nothing was written, or when that is unknown. */
  commit: (drafts: Draft[]) => Promise<AppendOutcome[]>;
}

/** What became of a draft whose batch was committed: a result, or the refusal of this draft alone. */
export type AppendOutcome = object | ChatError;

const MAX_DRAFTS = 200;
const MAX_BYTES = 1_048_576;
const MAX_WAITING = 10_000;

/**
 * The way into the log: a room always takes the same lane, a lane commits one batch at a time, in the order of arrival. So drafts of
 * one room are numbered in the order in which they came, while rooms of different lanes do not wait for each other.
 */
export class AppendLanes<Draft> {
  readonly #lanes: Batcher<Draft, AppendOutcome>[];

  constructor(private readonly options: LaneOptions<Draft>) {
    const overflow = () => new ChatError('unavailable', 'Too much is waiting to be stored.', { retryAfterMs: 1000 });
    this.#lanes = Array.from(
      { length: options.lanes },
      () =>
        new Batcher<Draft, AppendOutcome>((drafts) => this.#append(drafts), {
          maxItems: MAX_DRAFTS,
          maxBytes: MAX_BYTES,
          bytesOf: options.bytesOf,
          maxWaiting: MAX_WAITING,
          overflow,
        }),
    );
  }

  add(draft: Draft): Promise<AppendOutcome> {
    return this.#lanes[laneOf(this.options.roomOf(draft), this.#lanes.length)]!.add(draft);
  }

  // What the database refuses is one draft's fault, and a lock that is not given one room's: find it, first by room, then by draft, so
  // that it fails alone. Any other time-out is nobody's fault, and trying again would multiply the wait.
  async #append(drafts: Draft[]): Promise<AppendOutcome[]> {
    try {
      return await this.options.commit(drafts);
    } catch (error) {
      const rooms = this.#byRoom(drafts);
      if (error instanceof ChatError && !(isLocked(error) && rooms.length > 1)) return drafts.map(() => error);
      if (drafts.length === 1) return [refusal(error)];
      return this.#appendParts(drafts, rooms.length > 1 ? rooms : drafts.map((draft) => [draft]));
    }
  }

  async #appendParts(drafts: Draft[], parts: Draft[][]): Promise<AppendOutcome[]> {
    const outcomes = new Map<Draft, AppendOutcome>();
    const locked: ChatError[] = [];
    for (const part of parts) {
      // A second locked room is no accident: the rest would wait as long each, and fail too.
      const results = locked.length < 2 ? await this.#append(part) : part.map(() => locked[0]!);
      if (isLocked(results[0])) locked.push(results[0]);
      part.forEach((draft, index) => outcomes.set(draft, results[index]!));
    }
    return drafts.map((draft) => outcomes.get(draft)!);
  }

  #byRoom(drafts: Draft[]): Draft[][] {
    const byRoom = new Map<string, Draft[]>();
    for (const draft of drafts) {
      const room = this.options.roomOf(draft);
      const part = byRoom.get(room);
      if (part) part.push(draft);
      else byRoom.set(room, [draft]);
    }
    return [...byRoom.values()];
  }
}

/** A room's lock was not to be had in time: nothing was written. */
function isLocked(error: unknown): error is ChatError {
  return error instanceof ChatError && (error.cause as { code?: unknown } | undefined)?.code === '55P03';
}

function refusal(error: unknown): ChatError {
  const state = (error as { code?: unknown }).code;
  // Class 22 is data that PostgreSQL cannot store.
  if (typeof state === 'string' && state.startsWith('22')) {
    return new ChatError('validation_failed', 'The database cannot store this.', { cause: error });
  }
  return new ChatError('internal', 'The server failed to store this.', { cause: error });
}

/** FNV-1a over the room's id. */
function laneOf(room: string, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < room.length; i++) hash = Math.imul(hash ^ room.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % lanes;
}

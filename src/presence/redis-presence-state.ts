import type { RedisClient } from '../redis/redis-connections.js';
import type { ChosenStatus, PresenceStatus } from '../protocol/index.js';
import { BEAT, FORGET, LEAVE, OPEN, REAP, TELL } from './presence-scripts.js';
import type { OnlineStatus, VisibleChange } from './presence-store.js';

/**
 * Glossary
 * - lease: an instance's word that its users are there. It ends when it is not renewed, and is then never taken up again: any instance
 *   reaps it, which ends the users who have no other.
 * - bucket: the part of all users whose keys lie in one slot of a cluster.
 */
export interface Call {
  act: 'connect' | 'disconnect' | 'choose';
  user: string;
  chosen: ChosenStatus;
  at: Date;
}

export interface Answer {
  /** The new visible status, when the call made a visible change. */
  status: PresenceStatus | null;
  /** What the user has chosen; null when he is not connected. */
  chosen: ChosenStatus | null;
  /** The end of a user who was not there under this lease. */
  wasUnknown: boolean;
}

export interface EndedLease {
  lease: string;
  /** When its instance was last heard of. */
  at: Date;
}

export const BUCKETS = 64;

/** Users that one run of a script ends, so that Redis is not kept for long: a millisecond or two. */
const REAP_SIZE = 200;
const READ_SIZE = 1_000;
const CLAIMED_AT_ONCE = 4;

type Run = (...args: (string | number)[]) => Promise<unknown>;

const SCRIPTS = {
  parleyPresenceTell: { lua: TELL, numberOfKeys: 3 },
  parleyPresenceReap: { lua: REAP, numberOfKeys: 4 },
  parleyPresenceOpen: { lua: OPEN, numberOfKeys: 4 },
  parleyPresenceBeat: { lua: BEAT, numberOfKeys: 4 },
  parleyPresenceLeave: { lua: LEAVE, numberOfKeys: 4 },
  parleyPresenceForget: { lua: FORGET, numberOfKeys: 4 },
};

/** The presence that all instances share, as it lies in Redis. Every method rejects when Redis does not answer within `answerMs`. */
export class RedisPresenceState {
  /** Carries each visible change: JSON, a list of `[user, status, Unix ms]`. */
  readonly channel: string;
  /** Carries each `beat` of this instance. */
  readonly echoChannel: string;
  readonly #prefix: string;
  readonly #leaseKeys: readonly string[];

  constructor(
    private readonly client: RedisClient,
    prefix: string,
    instanceId: string,
    private readonly answerMs: number,
  ) {
    this.#prefix = `${prefix}:presence`;
    this.channel = `${this.#prefix}:changes`;
    this.echoChannel = `${this.#prefix}:echo:${instanceId}`;
    this.#leaseKeys = ['', ':seen', ':claims', ':leaving'].map((part) => `${this.#prefix}:{leases}${part}`);
    for (const [name, script] of Object.entries(SCRIPTS)) client.defineCommand(name, script);
  }

  /** Calls for one user take effect in their order. When it rejects, some of the calls, or all, may have taken effect. */
  async tell(lease: string, calls: readonly Call[]): Promise<Answer[]> {
    const byBucket = new Map<number, number[]>();
    calls.forEach(({ user }, index) => append(byBucket, bucketOf(user), index));
    const answers = new Array<Answer>(calls.length);
    const runs = [...byBucket].map(async ([bucket, indexes]) => {
      const args = indexes.map((index) => calls[index]!).flatMap(({ act, user, chosen, at }) => [act, user, chosen, at.getTime()]);
      const keys = [this.#key(bucket, 'users'), this.#key(bucket, 'shown'), this.#key(bucket, `of:${lease}`)];
      const reply = (await this.#run('parleyPresenceTell', ...keys, this.channel, lease, ...args)) as string[];
      indexes.forEach((index, place) => (answers[index] = answerOf(reply[2 * place]!, reply[2 * place + 1]!)));
    });
    await this.#inTime(Promise.all(runs));
    return answers;
  }

  /** Those of the users who are visibly online. */
  async visible(users: readonly string[]): Promise<Map<string, OnlineStatus>> {
    const byBucket = new Map<number, string[]>();
    for (const user of users) append(byBucket, bucketOf(user), user);
    const visible = new Map<string, OnlineStatus>();
    const reads = [...byBucket].flatMap(([bucket, all]) =>
      partsOf(all, READ_SIZE).map(async (part) => {
        const statuses = await this.client.hmget(this.#key(bucket, 'shown'), ...part);
        statuses.forEach((status, index) => status !== null && visible.set(part[index]!, status as OnlineStatus));
      }),
    );
    await this.#inTime(Promise.all(reads));
    return visible;
  }

  /** All who are visibly online in a bucket. */
  online(bucket: number): Promise<string[]> {
    return this.#inTime(this.client.hkeys(this.#key(bucket, 'shown')));
  }

  /** @param former the lease that this one takes the place of; it ends after `formerMs` */
  async open(lease: string, leaseMs: number, former: string | null, formerMs: number): Promise<void> {
    await this.#inTime(this.#run('parleyPresenceOpen', ...this.#leaseKeys, lease, leaseMs, former ?? '', formerMs));
  }

  /**
   * Renews the lease, and is heard on `echoChannel`.
   * @param mayReap whether to claim ended leases: no other instance gets them for `claimMs`
   * @returns null when the lease has ended
   */
  async beat(lease: string, leaseMs: number, mayReap: boolean, claimMs: number): Promise<EndedLease[] | null> {
    const args = [lease, leaseMs, this.echoChannel, mayReap ? CLAIMED_AT_ONCE : 0, claimMs];
    const [isHeld, ...ended] = (await this.#inTime(this.#run('parleyPresenceBeat', ...this.#leaseKeys, ...args))) as string[];
    if (isHeld === '0') return null;
    return Array.from({ length: ended.length / 2 }, (_, index) => ({
      lease: ended[2 * index]!,
      at: new Date(Number(ended[2 * index + 1])),
    }));
  }

  /**
   * The lease ends in so many ms, for an instance that goes on to reap.
   * @returns when there is none: this lease and those that were left before it, for the caller to reap
   */
  async leave(lease: string, stayMs: number): Promise<EndedLease[]> {
    return endedLeases((await this.#inTime(this.#run('parleyPresenceLeave', ...this.#leaseKeys, lease, stayMs))) as string[]);
  }

  /**
   * Ends the users of an ended lease, some at a time; those who are visibly gone by it are given to `onEnd`, and to whoever goes on with it
   * when this rejects.
   */
  async reap({ lease, at }: EndedLease, onEnd: (change: VisibleChange) => void): Promise<void> {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const keys = ['users', 'shown', `of:${lease}`, `ended:${lease}`].map((name) => this.#key(bucket, name));
      let left = 0;
      let ended: string[] = [];
      do {
        const args = [this.channel, lease, at.getTime(), REAP_SIZE, ...ended];
        const [count, ...users] = (await this.#inTime(this.#run('parleyPresenceReap', ...keys, ...args))) as string[];
        for (const user of users) onEnd({ user, status: 'offline', at });
        left = Number(count);
        ended = users;
      } while (left > 0 || ended.length > 0);
    }
    await this.#inTime(this.#run('parleyPresenceForget', ...this.#leaseKeys, lease));
  }

  // The client's own deadline begins when a command is sent, which may itself wait for what was sent before.
  async #inTime<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeIsUp = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Redis did not answer within ${this.answerMs} ms`)), this.answerMs);
    });
    try {
      return await Promise.race([work, timeIsUp]);
    } finally {
      clearTimeout(timer);
    }
  }

  #key(bucket: number, name: string): string {
    return `${this.#prefix}:{b${bucket}}:${name}`;
  }

  #run(script: keyof typeof SCRIPTS, ...args: (string | number)[]): Promise<unknown> {
    return (this.client as unknown as Record<string, Run>)[script]!(...args);
  }
}

/** @returns null for what is no list of changes */
export function decodeChanges(message: string): VisibleChange[] | null {
  try {
    const changes = JSON.parse(message) as [string, PresenceStatus, string][];
    return changes.map(([user, status, at]) => ({ user, status, at: new Date(Number(at)) }));
  } catch {
    return null;
  }
}

/** FNV-1a: the same on every instance of every release. */
export function bucketOf(user: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < user.length; index++) hash = Math.imul(hash ^ user.charCodeAt(index), 0x01000193);
  return ((hash >>> 16) ^ hash) & (BUCKETS - 1);
}

function endedLeases(reply: readonly string[]): EndedLease[] {
  return Array.from({ length: reply.length / 2 }, (_, index) => ({ lease: reply[2 * index]!, at: new Date(Number(reply[2 * index + 1])) }));
}

function answerOf(status: string, chosen: string): Answer {
  const wasUnknown = status === '?';
  return {
    status: status === '' || wasUnknown ? null : (status as PresenceStatus),
    chosen: chosen === '' ? null : (chosen as ChosenStatus),
    wasUnknown,
  };
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

function partsOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
}

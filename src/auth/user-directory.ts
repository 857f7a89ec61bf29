import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Acts } from '../changes/acts.js';
import { Batcher } from '../database/batcher.js';
import { Sql } from '../database/sql.js';
import { Storm } from '../database/storm.js';
import { ChatError } from '../errors/chat-error.js';
import type { ChosenStatus } from '../protocol/index.js';
import { bringsOffice } from './administrators.js';
import type { Principal } from './principal.js';
import type { ActRow } from './revocation-statements.js';
import { FIND_USERS, LAST_SEEN, OPEN_USERS, SET_STATUS, STATUSES, STORE_SEEN } from './user-statements.js';

/** A user as other users see it. */
export interface UserView {
  id: string;
  /** Null for users who do not log in here. */
  username: string | null;
  name: string | null;
  /** When the server first saw the user. */
  createdAt: string;
}

export interface OpenedUser {
  /** What the user has chosen to show. */
  status: ChosenStatus;
  /** By his stored role, or by a token of the last 30 days. */
  isAdministrator: boolean;
}

export interface UserRow {
  id: string;
  username: string | null;
  name: string | null;
  created_at: Date;
}

export function userView({ id, username, name, created_at }: UserRow): UserView {
  return { id, username, name, createdAt: created_at.toISOString() };
}

interface OpeningUser {
  id: string;
  name: string | null;
  bringsOffice: boolean;
}

interface Known extends OpenedUser {
  name: string | null;
  /** When a token gave the user another name than he had; long ago, as a rule. Milliseconds. */
  renamedAt: number;
}

const CACHE_USERS = 100_000;
/** Long enough to spare the database, short enough that an act which got lost is made up for. */
const CACHE_MS = 60_000;

/** Two tokens with different names must not write by turns: a user gets one new name in so long. */
const RENAME_MS = 60_000;
/** Users that are enough for a statement, when clients come back in a herd. */
const GATHERED_USERS = 250;

const overflow = () => new ChatError('unavailable', 'Too many users arrive at once.', { retryAfterMs: 1000 });

/**
 * The users that this server has seen. A user is made at first sight of a valid token, in batches, and remembered, so that neither a
 * connection nor a request costs a query of its own.
 */
@Injectable()
export class UserDirectory implements OnApplicationShutdown {
  readonly #known = new LRUCache<string, Known>({ max: CACHE_USERS, ttl: CACHE_MS });
  /** Choices that came while a batch was being read, which may have read an earlier one. */
  readonly #chosenMeanwhile = new Map<string, ChosenStatus>();
  #isOpening = false;
  readonly #stopListening: () => void;

  readonly #opening: Batcher<OpeningUser, OpenedUser>;

  readonly #seen = new Batcher<{ user: string; at: Date }, void>((users) => this.#storeSeen(users), {
    maxItems: 500,
    maxWaiting: 50_000,
    overflow,
  });

  constructor(
    private readonly sql: Sql,
    private readonly acts: Acts,
    storm: Storm,
  ) {
    this.#opening = new Batcher((users) => this.#openAll(users), {
      maxItems: 500,
      maxWaiting: 50_000,
      overflow,
      gather: storm.gathering(GATHERED_USERS),
    });
    this.#stopListening = acts.listen((act) => {
      if (act.kind === 'status.chosen') this.#remember(act.user, act.status);
      // He may have other roles.
      if (act.kind === 'user.revoked') this.#known.delete(act.user);
    });
  }

  onApplicationShutdown(): void {
    this.#stopListening();
  }

  /**
   * Makes the user known, with the name that the token gives it: a second new name in a minute is left to the next call. That it makes him
   * an administrator is remembered, once a day.
   * @returns the user as of a minute ago at worst
   */
  async open(principal: Pick<Principal, 'userId' | 'name' | 'roles' | 'sessionId' | 'fromKey'>): Promise<OpenedUser> {
    const { userId: id, name } = principal;
    const known = this.#known.get(id);
    const isOffice = bringsOffice(principal);
    const isSame = known && (name === null || known.name === name || wasJustRenamed(known)) && (!isOffice || known.isAdministrator);
    return isSame ? known : this.#opening.add({ id, name, bringsOffice: isOffice });
  }

  /** The users among `ids` that this server has seen, each once, in the order of `ids`. */
  async find(ids: readonly string[]): Promise<UserView[]> {
    if (ids.length === 0) return [];
    const rows = await this.sql.query<UserRow>(FIND_USERS, [ids]);
    const users = new Map(rows.map((row) => [row.id, userView(row)]));
    return [...new Set(ids)].flatMap((id) => users.get(id) ?? []);
  }

  /** Stores what the user chose, then tells every instance by an act. */
  async setStatus(user: string, status: ChosenStatus): Promise<void> {
    const [row] = await this.sql.query<ActRow>(SET_STATUS, [user, status]);
    this.acts.publish(row!.act);
  }

  /** Stores when users were last seen; never an earlier time over a later one. Users never opened are left out. */
  async seen(users: readonly { user: string; at: Date }[]): Promise<void> {
    await Promise.all(users.map((user) => this.#seen.add(user)));
  }

  /** One entry for each of `ids`; null for who was never seen. */
  async lastSeen(ids: readonly string[]): Promise<Map<string, Date | null>> {
    const seen = new Map<string, Date | null>(ids.map((id) => [id, null]));
    if (ids.length === 0) return seen;
    const rows = await this.sql.query<{ id: string; last_seen_at: Date | null }>(LAST_SEEN, [ids]);
    for (const row of rows) seen.set(row.id, row.last_seen_at);
    return seen;
  }

  /** One entry for each of `ids`; `online` for who never chose. */
  async statuses(ids: readonly string[]): Promise<Map<string, ChosenStatus>> {
    const statuses = new Map<string, ChosenStatus>(ids.map((id) => [id, 'online']));
    if (ids.length === 0) return statuses;
    const rows = await this.sql.query<{ id: string; status: ChosenStatus }>(STATUSES, [ids]);
    for (const row of rows) statuses.set(row.id, row.status);
    return statuses;
  }

  #remember(user: string, status: ChosenStatus): void {
    if (this.#isOpening) this.#chosenMeanwhile.set(user, status);
    const known = this.#known.peek(user);
    if (known) this.#known.set(user, { ...known, status });
  }

  async #openAll(users: OpeningUser[]): Promise<OpenedUser[]> {
    const each = [...this.#eachOf(users).values()];
    this.#isOpening = true;
    try {
      const values = [each.map(({ id }) => id), each.map(({ name }) => name), each.map((user) => user.bringsOffice)];
      const rows = await this.sql.query<OpenedRow>(OPEN_USERS, values);
      const opened = new Map<string, OpenedUser>();
      for (const { id, name, status: stored, is_renamed, is_administrator: isAdministrator } of rows) {
        const status = this.#chosenMeanwhile.get(id) ?? stored;
        const renamedAt = is_renamed ? Date.now() : (this.#known.peek(id)?.renamedAt ?? -Infinity);
        const known: Known = { name, status, isAdministrator, renamedAt };
        opened.set(id, known);
        this.#known.set(id, known);
      }
      return users.map(({ id }) => opened.get(id)!);
    } finally {
      this.#isOpening = false;
      this.#chosenMeanwhile.clear();
    }
  }

  /** Each user once. The last name wins where one comes twice, but for whom the batch before has just renamed. */
  #eachOf(users: OpeningUser[]): Map<string, OpeningUser> {
    const each = new Map<string, OpeningUser>();
    for (const { id, name, bringsOffice } of users) {
      const known = this.#known.peek(id);
      const before = each.get(id);
      const given = (known && wasJustRenamed(known) ? null : name) ?? before?.name ?? null;
      each.set(id, { id, name: given, bringsOffice: bringsOffice || before?.bringsOffice === true });
    }
    return each;
  }

  async #storeSeen(users: { user: string; at: Date }[]): Promise<void[]> {
    const latest = new Map<string, Date>();
    for (const { user, at } of users) {
      const other = latest.get(user);
      if (other === undefined || other < at) latest.set(user, at);
    }
    await this.sql.query(STORE_SEEN, [[...latest.keys()], [...latest.values()]]);
    return users.map(() => undefined);
  }
}

interface OpenedRow {
  id: string;
  name: string | null;
  status: ChosenStatus;
  is_renamed: boolean;
  is_administrator: boolean;
}

function wasJustRenamed({ renamedAt }: Known): boolean {
  return Date.now() - renamedAt < RENAME_MS;
}

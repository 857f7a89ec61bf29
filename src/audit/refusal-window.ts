import { networksOf } from './address-networks.js';
import type { AuditEntry } from './audit-entry.js';

/** Rows of one kind of refusal, by one actor from one address. */
const ROWS_EACH = 10;
/** Regions (/16, /32) and networks in them (/24, /48) that are told apart: the first refusal from each has its row. */
const MAX_REGIONS = 1_000;
const MAX_NETWORKS = 3_000;
/** All rows but those first ones. */
const MAX_REPEATS = 4_000;
/** Rows that stand for refusals of a network or a region, whoever they were by. */
const MAX_COUNTS = 1_000;
/** Nobody gets more than this part of what is left. */
const SHARE = 1 / 10;

interface Count {
  folded: number;
  /** What stands for those that were folded. */
  entry: AuditEntry;
}

interface Kind extends Count {
  rows: number;
}

/**
 * Decides which refusals have a row of their own, and counts the others as finely as it can: by actor and address, else by network, else by
 * region, else by what was refused alone. Its laws, whoever sends how many from wherever:
 * - each refusal has a row, or is in one count;
 * - there are at most 8,000 rows, each of which may have a count, and 1,000 counts besides, and one for each action;
 * - the first refusal from a region has a row while there are fewer than 1,000 regions. So has the first from a network of a region that
 *   has not itself used up its share of networks, which all 256 of an IPv4 region are within as long as no other region floods.
 */
export class RefusalWindow {
  readonly #regions = new Map<string, { networks: number; counts: number }>();
  readonly #networks = new Map<string, { repeats: number }>();
  readonly #kinds = new Map<string, Kind>();
  readonly #counts = new Map<string, Count>();
  readonly #regionsLeft = new Stock(MAX_REGIONS);
  readonly #networksLeft = new Stock(MAX_NETWORKS);
  readonly #repeatsLeft = new Stock(MAX_REPEATS);
  readonly #countsLeft = new Stock(MAX_COUNTS);

  /** Whether the refusal was counted, so that it needs no row of its own. */
  isFolded(entry: AuditEntry): boolean {
    const { near, far } = networksOf(entry.address ?? '');
    const key = JSON.stringify([entry.action, entry.outcome, entry.actor.kind, entry.actor.id, entry.address]);
    const kind = this.#kinds.get(key);
    if (this.#isFirst(near, far) || this.#mayRepeat(near, kind)) {
      if (kind) kind.rows++;
      else this.#kinds.set(key, { rows: 1, ...countOf(entry, entry.actor, entry.address) });
      return false;
    }
    (kind ?? this.#countAround(entry, near, far)).folded++;
    return true;
  }

  /** The rows that stand for what was counted. */
  counts(): AuditEntry[] {
    const all = [...this.#kinds.values(), ...this.#counts.values()];
    return all.filter(({ folded }) => folded > 0).map(({ folded, entry }) => ({ ...entry, details: { folded } }));
  }

  #isFirst(near: string, far: string): boolean {
    if (this.#networks.has(near)) return false;
    let region = this.#regions.get(far);
    const isFirst = region === undefined;
    if (!region) {
      if (!this.#regionsLeft.take(0)) return false;
      this.#regions.set(far, (region = { networks: 0, counts: 0 }));
    }
    if (!this.#networksLeft.take(region.networks)) return isFirst;
    region.networks++;
    this.#networks.set(near, { repeats: 0 });
    return true;
  }

  #mayRepeat(near: string, kind: Kind | undefined): boolean {
    const network = this.#networks.get(near);
    if (!network || (kind && kind.rows >= ROWS_EACH) || !this.#repeatsLeft.take(network.repeats)) return false;
    network.repeats++;
    return true;
  }

  #countAround(entry: AuditEntry, near: string, far: string): Count {
    const region = this.#regions.get(far);
    for (const place of region ? [...(this.#networks.has(near) ? [near] : []), far] : []) {
      const key = JSON.stringify([entry.action, entry.outcome, place]);
      const known = this.#counts.get(key);
      if (known) return known;
      if (!this.#countsLeft.take(region!.counts)) continue;
      region!.counts++;
      return this.#addCount(key, entry, place || null);
    }
    // Actions are the program's own and few: these are bounded too.
    const key = JSON.stringify([entry.action, entry.outcome]);
    return this.#counts.get(key) ?? this.#addCount(key, entry, null);
  }

  #addCount(key: string, entry: AuditEntry, address: string | null): Count {
    const count = countOf(entry, { kind: 'anonymous', id: null }, address);
    this.#counts.set(key, count);
    return count;
  }
}

/** So many of something, of which the first in line leave some to those who come after. */
class Stock {
  constructor(private left: number) {}

  /** One more for who has `had` so many: none when there are none, or when he has his share. */
  take(had: number): boolean {
    if (this.left === 0 || had > this.left * SHARE) return false;
    this.left--;
    return true;
  }
}

function countOf({ action, outcome }: AuditEntry, actor: AuditEntry['actor'], address: string | null): Count {
  return { folded: 0, entry: { action, outcome, actor, target: null, address, requestId: null } };
}

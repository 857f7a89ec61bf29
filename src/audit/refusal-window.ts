import { type Networks, networksOf } from './address-networks.js';
import type { AuditActor, AuditEntry } from './audit-entry.js';

/** Rows of one kind of refusal, by one actor from one address. */
const ROWS_EACH = 10;
/** Regions (/16, /32), and sources in them, that are told apart: the first refusal from each has its row. */
const MAX_REGIONS = 1_000;
const MAX_SOURCES = 3_000;
/** All rows but those first ones. */
const MAX_REPEATS = 4_000;
/** Rows that stand for refusals of a source or a region. */
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
 * Decides which refusals have a row of their own, and counts the others as finely as it can: by actor and address, else by source, else by
 * region, else by what was refused and whether it was a user, a key or nobody known. The source of a refusal is its actor when his
 * credentials proved him, and else the network (/24, /48) that it came from. Its laws, whoever sends how many from wherever:
 * - each refusal has a row, or is in one count;
 * - those of proven actors and those of others take nothing from each other. Of each sort there are at most 8,000 rows, each of which may
 *   have a count, and 1,000 counts besides, and one for each action;
 * - the first refusal of a sort from a region has a row while there are fewer than 1,000 regions. So has the first from a source in a region
 *   that has not itself used up its share of sources, which all 256 networks of an IPv4 region, and as many actors, are within as long as
 *   no other region floods;
 * - what is counted of proven actors is never counted as of nobody known, and has the name of one who is told apart as long as his region has
 *   not used up its share of counts.
 */
export class RefusalWindow {
  readonly #proven = new Shares();
  readonly #others = new Shares();
  readonly #kinds = new Map<string, Kind>();
  readonly #counts = new Map<string, Count>();

  /** Whether the refusal was counted, so that it needs no row of its own. */
  isFolded(entry: AuditEntry): boolean {
    const isProven = entry.actor.kind !== 'anonymous';
    const shares = isProven ? this.#proven : this.#others;
    const networks = networksOf(entry.address ?? '');
    const source = isProven ? JSON.stringify(entry.actor) : networks.near;
    const key = JSON.stringify([entry.action, entry.outcome, entry.actor, entry.address]);
    const kind = this.#kinds.get(key);
    if (shares.takeFirst(source, networks.far) || ((kind?.rows ?? 0) < ROWS_EACH && shares.takeRepeat(source))) {
      if (kind) kind.rows++;
      else this.#kinds.set(key, { rows: 1, ...countOf(entry, entry.actor, entry.address) });
      return false;
    }
    (kind ?? this.#countAround(entry, shares, source, networks)).folded++;
    return true;
  }

  /** The rows that stand for what was counted. */
  counts(): AuditEntry[] {
    const all = [...this.#kinds.values(), ...this.#counts.values()];
    return all.filter(({ folded }) => folded > 0).map(({ folded, entry }) => ({ ...entry, details: { folded } }));
  }

  #countAround(entry: AuditEntry, shares: Shares, source: string, { near, far }: Networks): Count {
    const somebody = { kind: entry.actor.kind, id: null };
    const bySource = shares === this.#proven ? countOf(entry, entry.actor, null) : countOf(entry, somebody, near || null);
    const circles: [Count, () => boolean][] = [
      [bySource, () => shares.takeCountOf(source)],
      [countOf(entry, somebody, far || null), () => shares.takeCountIn(far)],
      // Actions are the program's own and few: these are bounded too.
      [countOf(entry, somebody, null), () => true],
    ];
    const [count] = circles.find(([{ entry: stands }, take]) => this.#counts.has(JSON.stringify(stands)) || take())!;
    const key = JSON.stringify(count.entry);
    const known = this.#counts.get(key) ?? count;
    this.#counts.set(key, known);
    return known;
  }
}

interface Region {
  sources: number;
  counts: number;
}

/** What the refusals of one sort have left, and which regions and sources of theirs are told apart. */
class Shares {
  readonly #regions = new Map<string, Region>();
  readonly #sources = new Map<string, { region: Region; repeats: number }>();
  readonly #regionsLeft = new Stock(MAX_REGIONS);
  readonly #sourcesLeft = new Stock(MAX_SOURCES);
  readonly #repeatsLeft = new Stock(MAX_REPEATS);
  readonly #countsLeft = new Stock(MAX_COUNTS);

  /** A row for the first from a source, or from a region. */
  takeFirst(source: string, far: string): boolean {
    if (this.#sources.has(source)) return false;
    let region = this.#regions.get(far);
    const isFirst = region === undefined;
    if (!region) {
      if (!this.#regionsLeft.take(0)) return false;
      this.#regions.set(far, (region = { sources: 0, counts: 0 }));
    }
    if (!this.#sourcesLeft.take(region.sources)) return isFirst;
    region.sources++;
    this.#sources.set(source, { region, repeats: 0 });
    return true;
  }

  /** A row for one more from a source that is told apart. */
  takeRepeat(source: string): boolean {
    const known = this.#sources.get(source);
    if (!known || !this.#repeatsLeft.take(known.repeats)) return false;
    known.repeats++;
    return true;
  }

  /** A count of a source that is told apart, at the cost of the region that it first came from. */
  takeCountOf(source: string): boolean {
    return this.#takeCount(this.#sources.get(source)?.region);
  }

  /** A count of a region that is told apart. */
  takeCountIn(far: string): boolean {
    return this.#takeCount(this.#regions.get(far));
  }

  #takeCount(region: Region | undefined): boolean {
    if (!region || !this.#countsLeft.take(region.counts)) return false;
    region.counts++;
    return true;
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

function countOf({ action, outcome }: AuditEntry, actor: AuditActor, address: string | null): Count {
  return { folded: 0, entry: { action, outcome, actor, target: null, address, requestId: null } };
}

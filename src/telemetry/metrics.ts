import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { CLOSE_CODES, type CloseReason } from '../protocol/index.js';

const LATENCY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What only grows: plain numbers, which the code adds up whether anybody reads them or not. */
const COUNTERS = {
  opened: ['parley_connections_opened_total', 'WebSocket connections opened.'],
  frames: ['parley_frames_received_total', 'Frames taken from clients: commands, and what was refused as none.'],
  deliveries: ['parley_deliveries_total', 'Durable events written to subscribers, each subscriber counted.'],
  gapsFilled: [
    'parley_gaps_filled_total',
    'Gaps in a room that were filled from the log, since the bus did not bring what was in them; each once.',
  ],
  gapEvents: ['parley_gap_events_total', 'Events that were read from the log to fill gaps.'],
} as const;

/** Of a process that answers a scrape 1; the primary of several says 0 for a worker that does not. */
export const PROCESS_UP = ['parley_process_up', 'Whether the process answered the scrape: 1, or 0 of a worker that did not.'] as const;

/** What is asked for at each scrape. */
const GAUGES = {
  up: PROCESS_UP,
  connections: ['parley_connections', 'Open WebSocket connections.'],
  slowConnections: ['parley_slow_connections', 'Connections whose clients read too slowly: nothing is read from them.'],
  unsentBytes: ['parley_unsent_bytes', 'Bytes that wait to be written to sockets, all together.'],
  poolTotal: ['parley_database_connections', 'Connections to PostgreSQL in the pool.'],
  poolIdle: ['parley_database_idle_connections', 'Connections to PostgreSQL in the pool that nobody uses.'],
  poolWaiting: ['parley_database_waiting', 'Statements that wait for a connection of the pool.'],
  readiness: ['parley_readiness', 'As /health/ready says: 2 ok, 1 degraded, 0 down.'],
} as const;

const HISTOGRAMS = {
  commit: ['parley_commit_seconds', 'Time of one append batch from its statement to its commit, failed ones too.', LATENCY_SECONDS],
  batch: ['parley_batch_messages', 'Messages in one append batch.', [1, 2, 5, 10, 20, 50, 100, 200]],
  delivery: [
    'parley_delivery_seconds',
    'From an event being known to this instance until its last subscriber here was written; one observation a turn.',
    LATENCY_SECONDS,
  ],
  busLag: ['parley_bus_lag_seconds', 'Round trip of a probe through Redis, each two seconds.', LATENCY_SECONDS],
} as const;

const CLOSED = ['parley_connections_closed_total', 'WebSocket connections closed, by who or what closed them.'] as const;
/** The server's own reasons, and `client` where the client left or the network did. */
const CLOSE_REASONS = [...(Object.keys(CLOSE_CODES) as CloseReason[]), 'client'] as const;

/**
 * All metrics of this process, and the only place that names them. Labels have few values, none made by callers: no room, no user, no token.
 * On a hot path numbers are added up plainly (`counts`), and read when somebody scrapes; histograms are observed once a batch or a turn.
 * When off, nothing is registered, observed or timed.
 */
export class Metrics {
  readonly counts = { opened: 0, frames: 0, deliveries: 0, gapsFilled: 0, gapEvents: 0 };
  readonly #registry: Registry | null;
  readonly #histograms = new Map<keyof typeof HISTOGRAMS, Histogram>();
  readonly #sources = new Map<keyof typeof GAUGES, () => number | Promise<number>>();
  readonly #closed: Counter<'reason'> | undefined;

  constructor(readonly isOn: boolean) {
    this.#registry = isOn ? new Registry() : null;
    if (!this.#registry) return;
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    for (const [key, [name, help]] of entries(COUNTERS)) this.#countAtScrape(key, name, help);
    for (const [key, [name, help]] of entries(GAUGES)) this.#askAtScrape(key, name, help);
    this.source('up', () => 1);
    for (const [key, [name, help, buckets]] of entries(HISTOGRAMS)) {
      this.#histograms.set(key, new Histogram({ name, help, buckets: [...buckets], registers }));
    }
    this.#closed = new Counter({ name: CLOSED[0], help: CLOSED[1], labelNames: ['reason'], registers });
    // A series that begins with its first close would hide it: `increase` knows nothing from before.
    for (const reason of CLOSE_REASONS) this.#closed.inc({ reason }, 0);
  }

  /** Adds one value to a histogram; seconds, where its name says so. */
  observe(histogram: keyof typeof HISTOGRAMS, value: number): void {
    this.#histograms.get(histogram)?.observe(value);
  }

  closed(reason: (typeof CLOSE_REASONS)[number]): void {
    this.#closed?.inc({ reason });
  }

  /** Says where a gauge's value comes from; it is asked for at each scrape. */
  source(gauge: keyof typeof GAUGES, read: () => number | Promise<number>): void {
    if (this.isOn) this.#sources.set(gauge, read);
  }

  /** The page in Prometheus's text format. */
  async page(): Promise<MetricsPage> {
    if (!this.#registry) throw new Error('Metrics are off.');
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  /** What the page is made of. */
  async families(): Promise<MetricFamily[]> {
    return ((await this.#registry?.getMetricsAsJSON()) ?? []) as unknown as MetricFamily[];
  }

  /** Name, type, help and labels of every metric that is Parley's own. */
  async described(): Promise<{ name: string; type: string; help: string; labels: string[] }[]> {
    return (await this.families())
      .filter(({ name }) => name.startsWith('parley_'))
      .map(({ name, type, help, values }) => ({
        name,
        type,
        help,
        labels: Object.keys(values[0]!.labels).filter((label) => label !== 'le'),
      }));
  }

  #countAtScrape(key: keyof typeof COUNTERS, name: string, help: string): void {
    const { counts } = this;
    new Counter({
      name,
      help,
      registers: [this.#registry!],
      collect() {
        this.reset();
        this.inc(counts[key]);
      },
    });
  }

  #askAtScrape(key: keyof typeof GAUGES, name: string, help: string): void {
    const sources = this.#sources;
    new Gauge({
      name,
      help,
      registers: [this.#registry!],
      async collect() {
        this.set((await sources.get(key)?.()) ?? 0);
      },
    });
  }
}

export interface MetricsPage {
  contentType: string;
  text: string;
}

/** One metric with all its series, as prom-client gives it at run time. */
export interface MetricFamily {
  name: string;
  help: string;
  type: string;
  /** Of a histogram each bucket, sum and count is one, by its own `metricName`. */
  values: { labels: Record<string, string | number>; value: number | null; metricName?: string }[];
}

function entries<Key extends string, Value>(record: Readonly<Record<Key, Value>>): [Key, Value][] {
  return Object.entries(record) as [Key, Value][];
}

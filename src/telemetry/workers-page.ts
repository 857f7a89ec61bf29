import { Logger } from '@nestjs/common';
import type { Worker } from 'node:cluster';
import { once } from 'node:events';
import { AggregatorRegistry } from 'prom-client';
import { type MetricFamily, type MetricsPage, PROCESS_UP } from './metrics.js';

/** What the primary asks a worker. */
const ASK = 'metrics';
/** Less than Prometheus waits, and more than a worker takes whose database does not answer. */
const ANSWER_MS = 3_000;

/** The only thing that a worker says to its primary. */
interface Answer {
  /** Null: they could not be read. */
  families: MetricFamily[] | null;
}

const SILENT: MetricFamily = { name: PROCESS_UP[0], help: PROCESS_UP[1], type: 'gauge', values: [{ labels: {}, value: 0 }] };

const logger = new Logger('Metrics');

/** Has this worker answer whenever its primary asks. */
export function answerPrimary(read: () => Promise<MetricFamily[]>): void {
  process.on('message', (message) => {
    if (message !== ASK) return;
    const unreadable = (error: Error) => {
      logger.warn(`The metrics of this worker cannot be read: ${error.message}`);
      return null;
    };
    const answer = (families: Answer['families']) => process.send!({ families }, undefined, undefined, () => {}); // fails without a primary
    void read().catch(unreadable).then(answer);
  });
}

/**
 * One page of all workers. Each place among them has series of its own, by the label `worker`, and who is next in that place goes on with
 * them from 0, as a server does that starts again. A worker that does not answer is left out, but for its `parley_process_up`; one that
 * ends is not waited for.
 *
 * @param workers by place; undefined where nobody serves
 */
export async function workersPage(workers: readonly (Worker | undefined)[]): Promise<MetricsPage> {
  const answers = await Promise.all(workers.map(async (worker) => (worker ? familiesOf(worker) : null)));
  const registry = AggregatorRegistry.aggregate(answers.map((families, place) => placed(families ?? [SILENT], String(place))));
  return { contentType: registry.contentType, text: await registry.metrics() };
}

async function familiesOf(worker: Worker): Promise<MetricFamily[] | null> {
  const ended = new AbortController();
  const end = () => ended.abort();
  worker.once('disconnect', end);
  try {
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(ANSWER_MS)]);
    const answer = once(worker, 'message', { signal }) as Promise<[Answer]>;
    worker.send(ASK, (error) => error && end()); // it has just died
    return (await answer)[0].families;
  } catch {
    // Who replaces it says how it ended.
    if (!ended.signal.aborted) logger.warn(`Worker ${worker.process.pid} did not answer a scrape within ${ANSWER_MS} ms.`);
    return null;
  } finally {
    worker.off('disconnect', end);
  }
}

/** By its label each value is alone, so there is nothing to add up: of each the first is taken. */
function placed(families: readonly MetricFamily[], worker: string): object[] {
  return families.map(({ values, ...family }) => ({
    ...family,
    aggregator: 'first',
    // On their way from the worker JSON has made null of NaN.
    values: values.map(({ labels, value, ...rest }) => ({ ...rest, labels: { ...labels, worker }, value: value ?? NaN })),
  }));
}

import { Logger } from '@nestjs/common';
import cluster, { type Worker } from 'node:cluster';
import type { Server as HttpServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from './config/config.js';
import { listenForScrapes } from './telemetry/metrics-port.js';
import { workersPage } from './telemetry/workers-page.js';
import { CLOSE_MS } from './web-server.js';

/** What the primary tells a worker: let your clients go, and end. */
export const STOP = 'stop';

/** What a worker may take to end beyond its own draining and closing, before it is killed. */
const KILL_MS = 2_000;
/** A worker that has lived so long did not die of its start: the next death counts as the first. */
const STEADY_MS = 60_000;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 30_000;

/** A worker ended before it served. */
export class WorkerEnded extends Error {
  override readonly name = 'WorkerEnded';

  constructor(private readonly end: string) {
    super(`a worker ended by ${end} before it served`);
  }

  /** A worker that fails by itself tells the operator why, before it exits. */
  get isExplained(): boolean {
    return this.end === 'exit code 1';
  }
}

/** One worker from its fork to its end. */
interface Forked {
  process: Worker;
  /** Which of WEB_CONCURRENCY it is, from 0 on. Who replaces it has the same. */
  place: number;
  isServing: boolean;
  /** The port, when it serves. Rejects by `WorkerEnded` when it ends before. */
  served: Promise<number>;
  /** By what signal or exit code it ended. Never rejects. */
  ended: Promise<string>;
}

/**
 * WEB_CONCURRENCY processes on one port: this one, the primary, accepts connections and hands them out in turn; each worker is a whole
 * instance. A worker that dies is replaced. When the primary dies, however it dies, its workers end at once: node:cluster ends a worker
 * whose channel to the primary closes.
 */
export class Workers {
  readonly #logger = new Logger(Workers.name);
  readonly #alive = new Set<Forked>();
  #config: Config | undefined;
  #scrapes: HttpServer | undefined;
  #isStopping = false;

  /**
   * Listens for scrapes, if it is to, then starts one worker, then all others: what keeps each from serving, such as a port in use, is
   * said once.
   * @returns the port, when all serve
   * @throws {MetricsPortRefused | WorkerEnded} when METRICS_PORT is not to be had, or one cannot serve
   */
  async start(config: Config): Promise<number> {
    this.#config = config;
    const { metricsPort, host } = config;
    // First: a port that is in use costs no worker's start.
    if (metricsPort !== undefined) this.#scrapes = await listenForScrapes(metricsPort, host, () => workersPage(this.#serving()));
    const port = await this.#startOne(0);
    await Promise.all(Array.from({ length: config.webConcurrency - 1 }, (_, i) => this.#startOne(i + 1)));
    return port;
  }

  /**
   * All workers drain at the same time; one that does not end is killed, 7 s after DRAIN_MS.
   * @throws when one of them did not end in good order
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#scrapes?.close();
    const serving = [...this.#alive].filter(({ isServing }) => isServing);
    for (const worker of this.#alive) {
      if (worker.isServing)
        worker.process.send(STOP, () => {}); // fails when it has just died
      else worker.process.process.kill('SIGKILL'); // it serves nobody, and might not listen yet
    }
    const harder = setTimeout(() => this.stopAtExit(), this.#config!.drainMs + CLOSE_MS + KILL_MS);
    const ends = await Promise.all(serving.map(({ ended }) => ended));
    clearTimeout(harder);
    const bad = ends.filter((end) => end !== 'exit code 0');
    if (bad.length > 0) throw new Error(`workers ended by ${bad.join(', ')}`);
  }

  /** For a process that ends right now. */
  stopAtExit(): void {
    this.#isStopping = true;
    for (const worker of this.#alive) worker.process.process.kill('SIGKILL');
  }

  /** By place; undefined where one has ended and the next does not serve yet. */
  #serving(): (Worker | undefined)[] {
    const serving = new Array<Worker | undefined>(this.#config!.webConcurrency).fill(undefined);
    for (const { process, place, isServing } of this.#alive) if (isServing) serving[place] = process;
    return serving;
  }

  async #startOne(place: number): Promise<number> {
    const worker = this.#fork(place);
    const port = await worker.served;
    void this.#replaceAtEnd(worker);
    return port;
  }

  /** Whoever dies in this place is replaced, ever later while that does not help. */
  async #replaceAtEnd(first: Forked): Promise<void> {
    let worker = first;
    for (let deaths = 1; ; deaths++) {
      const since = Date.now();
      const end = await worker.ended;
      if (this.#isStopping) return;
      if (Date.now() - since > STEADY_MS) deaths = 1;
      const waitMs = Math.min(FIRST_RETRY_MS * 2 ** (deaths - 1), MAX_RETRY_MS);
      this.#logger.error(`Worker ${worker.process.process.pid} ended by ${end}; another one starts in ${waitMs} ms.`);
      await delay(waitMs);
      if (this.#isStopping) return;
      worker = this.#fork(worker.place);
    }
  }

  #fork(place: number): Forked {
    if (this.#isStopping) throw new Error('stopped while starting');
    // What the primary has found or made is a setting to its workers: they start no PostgreSQL, and make no secret.
    const { databaseUrl, jwtSecrets } = this.#config!;
    const worker = cluster.fork({ DATABASE_URL: databaseUrl, JWT_SECRET: jwtSecrets.join(',') });
    const ended = new Promise<string>((resolve) => {
      worker.once('exit', (code: number | null, signal: string | null) => resolve(signal ?? `exit code ${code}`));
      worker.on('error', (error) => {
        // One that could not even be made never exits.
        if (worker.process.pid === undefined) resolve(error.message);
      });
    });
    const served = new Promise<number>((resolve, reject) => {
      worker.once('listening', ({ port }) => {
        forked.isServing = true;
        this.#logger.log(`Worker ${worker.process.pid} serves.`);
        resolve(port);
      });
      void ended.then((end) => reject(new WorkerEnded(end)));
    });
    served.catch(() => {}); // whoever waits for it is told
    const forked: Forked = { process: worker, place, isServing: false, served, ended };
    this.#alive.add(forked);
    void ended.then(() => this.#alive.delete(forked));
    return forked;
  }
}

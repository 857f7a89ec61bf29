import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Config } from '../config/config.js';
import { Metrics, type MetricsPage } from './metrics.js';
import { answerPrimary } from './workers-page.js';

/** Answers a scrape. A page that cannot be made is a 503, and Prometheus notes that the scrape failed. */
export async function answerScrape(response: ServerResponse, page: () => Promise<MetricsPage>): Promise<void> {
  try {
    const { contentType, text } = await page();
    response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' }).end(text);
  } catch (error) {
    new Logger('Metrics').warn(`A scrape could not be answered: ${(error as Error).message}`);
    response.writeHead(503).end();
  }
}

/** METRICS_PORT cannot be listened on: `cause` says why. */
export class MetricsPortRefused extends Error {
  override readonly name = 'MetricsPortRefused';
}

/** Serves `GET /metrics`, and nothing else, on a port of its own. @throws {MetricsPortRefused} when it is in use, or not to be had */
export async function listenForScrapes(port: number, host: string, page: () => Promise<MetricsPage>): Promise<Server> {
  const server = createServer((request: IncomingMessage, response) => {
    if (request.method === 'GET' && request.url?.split('?', 1)[0] === '/metrics') void answerScrape(response, page);
    else response.writeHead(404).end();
  });
  server.listen(port, host);
  await once(server, 'listening').catch((cause: Error) => {
    throw new MetricsPortRefused(`METRICS_PORT cannot be listened on: ${cause.message}`, { cause });
  });
  return server;
}

/** METRICS_PORT of this process. A worker has none: its primary asks it, and serves one page of all workers. */
@Injectable()
export class MetricsPort implements OnApplicationBootstrap, OnApplicationShutdown {
  #server: Server | undefined;

  constructor(
    private readonly config: Config,
    private readonly metrics: Metrics,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { metricsPort, host } = this.config;
    if (metricsPort === undefined) return;
    if (cluster.isWorker) answerPrimary(() => this.metrics.families());
    else this.#server = await listenForScrapes(metricsPort, host, () => this.metrics.page());
  }

  onApplicationShutdown(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  /** The port that it serves; undefined when it serves none. */
  get port(): number | undefined {
    return (this.#server?.address() as AddressInfo | undefined)?.port;
  }
}

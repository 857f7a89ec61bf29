import type { NestExpressApplication } from '@nestjs/platform-express';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Config } from './config/config.js';

/** What closing may take beyond the draining, before open requests are cut off. */
export const CLOSE_MS = 5_000;

/** Connections that may wait to be accepted, as far as the system lets them (net.core.somaxconn): after an outage all clients come back at once. */
export const LISTEN_BACKLOG = 4_096;

/** The application and its port, in this process. Its code is loaded from the construction on, beside whatever else starts. */
export class WebServer {
  readonly #code = import('./application.js');
  #app: NestExpressApplication | undefined;
  #config: Config | undefined;
  #isStopping = false;

  constructor() {
    this.#code.catch(() => {}); // `start` awaits it, unless something else fails first
  }

  /**
   * The database must be migrated. In a worker of node:cluster the port is the primary's, which all workers share.
   * @returns the port that it serves
   * @throws what stands in the way; `stop` then ends what was started
   */
  async start(config: Config): Promise<number> {
    this.#config = config;
    const { createApplication } = await this.#code;
    this.#assertStarting();
    this.#app = await createApplication(config);
    this.#assertStarting();
    await this.#app.init();
    const http = this.#app.getHttpServer();
    // Not by Nest's own listen, which logs a port in use with a stack before it rejects.
    http.listen({ port: config.port, host: config.host, backlog: LISTEN_BACKLOG });
    await once(http, 'listening');
    return (http.address() as AddressInfo).port;
  }

  /** Lets its clients go within DRAIN_MS, then ends the application; also one that is starting. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const app = this.#app;
    if (!app) return;
    const http = app.getHttpServer();
    http.keepAliveTimeout = 1; // of requests under way: who asks no more must not be waited for
    const cut = setTimeout(() => http.closeAllConnections(), this.#config!.drainMs + CLOSE_MS);
    await app.close().finally(() => clearTimeout(cut));
  }

  #assertStarting(): void {
    if (this.#isStopping) throw new Error('stopped while starting');
  }
}

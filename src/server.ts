import { Logger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { Config, loadSettings, type Settings } from './config/config.js';
import { keptSecret } from './config/private-file.js';
import { EmbeddedPostgres } from './database/embedded-postgres.js';

/** How long a PostgreSQL that is started together with this server may take to come up. */
const DATABASE_PATIENCE_MS = 30_000;
/** Connections beside the pool: migrations and an operator's own. */
const SPARE_CONNECTIONS = 20;
/** What closing may take beyond the draining, before open requests are cut off. */
const CLOSE_MS = 5_000;

/** The server as one process has it: its application, and its own PostgreSQL when none is named. */
export class Server {
  #embedded: EmbeddedPostgres | undefined;
  #embeddedStart: Promise<EmbeddedPostgres> | undefined;
  #app: NestExpressApplication | undefined;
  #config: Config | undefined;
  #stopped: Promise<void> | undefined;

  /**
   * Settings, PostgreSQL, migrations, application, port: in this order, each only when the one before it is there.
   * @returns what is to be said of the running server
   * @throws {ConfigError | DataFolderInUse | Error} what stands in the way; `stop` then ends what was started
   */
  async start(environment: Record<string, string | undefined>, onLost: (reason: string) => void): Promise<ServerFacts> {
    const settings = loadSettings(environment);
    const dataDir = resolve(settings.DATA_DIR);
    // Loading the application takes as long as PostgreSQL's start: both at once.
    const modules = Promise.all([import('./application.js'), import('./database/migrate.js')]);
    modules.catch(() => {}); // awaited below, unless PostgreSQL fails first
    const databaseUrl = settings.DATABASE_URL ?? (await this.#startEmbedded(settings, dataDir, onLost));
    const config = new Config(settings, { databaseUrl, jwtSecret: settings.JWT_SECRET ?? secretIn(dataDir) });
    this.#config = config;
    const logger = new Logger('Server');
    const [{ createApplication }, { migrate }] = await modules;
    await migrate(databaseUrl, {
      patienceMs: DATABASE_PATIENCE_MS,
      onWaiting: (reason) => logger.warn(`Waiting for PostgreSQL: ${reason}`),
    });
    this.#assertStarting();
    this.#app = await createApplication(config);
    this.#assertStarting();
    await this.#app.init();
    const http = this.#app.getHttpServer();
    // Not by Nest's own listen, which logs a port in use with a stack before it rejects.
    http.listen(config.port, config.host);
    await once(http, 'listening');
    const { port } = http.address() as AddressInfo;
    return { config, port, dataDir: this.#embedded && dataDir, postgresRunsAs: this.#embedded?.runsAs };
  }

  /** Ends connections, then the application, then PostgreSQL; also a start that is under way. Harmless when repeated. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** For a process that ends right now. */
  stopAtExit(): void {
    this.#embedded?.stopAtExit();
  }

  async #stop(): Promise<void> {
    const app = this.#app;
    if (app) {
      const cut = setTimeout(() => app.getHttpServer().closeAllConnections(), (this.#config?.drainMs ?? 0) + CLOSE_MS);
      await app.close().finally(() => clearTimeout(cut));
    }
    // One that is still starting cannot be left alone: it is waited for, then stopped.
    const embedded = await this.#embeddedStart?.catch(() => undefined);
    await embedded?.stop();
  }

  async #startEmbedded(settings: Settings, dataDir: string, onLost: (reason: string) => void): Promise<string> {
    this.#embeddedStart = EmbeddedPostgres.start({ dataDir, maxConnections: settings.DATABASE_POOL + SPARE_CONNECTIONS });
    this.#embedded = await this.#embeddedStart;
    this.#embedded.onLost(onLost);
    this.#assertStarting();
    return this.#embedded.url;
  }

  #assertStarting(): void {
    if (this.#stopped) throw new Error('stopped while starting');
  }
}

export interface ServerFacts {
  config: Config;
  port: number;
  /** Set when PostgreSQL is the server's own. */
  dataDir: string | undefined;
  postgresRunsAs: string | undefined;
}

function secretIn(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  return keptSecret(join(dataDir, 'jwt-secret'));
}

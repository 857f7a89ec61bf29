import { Logger } from '@nestjs/common';
import { Logger as JsonLogger, PinoLogger } from 'nestjs-pino';
import cluster from 'node:cluster';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Config } from './config/config.js';
import { loadSettings, type Settings } from './config/settings.js';
import { loggerParams } from './config/logging.js';
import { keptSecret } from './config/private-file.js';
import { EmbeddedPostgres } from './database/embedded-postgres.js';
import { WebServer } from './web-server.js';
import { Workers } from './workers.js';

/** How long a PostgreSQL that is started together with this server may take to come up. */
const DATABASE_PATIENCE_MS = 30_000;
/** Connections beside the pools: migrations and an operator's own. */
const SPARE_CONNECTIONS = 20;

/**
 * The server as this process has it. One of three:
 * - alone: PostgreSQL if none is named, migrations, and the application;
 * - the primary of several processes: PostgreSQL if none is named, migrations, and the workers;
 * - one of those workers: only the application.
 */
export class Server {
  #embedded: EmbeddedPostgres | undefined;
  #embeddedStart: Promise<EmbeddedPostgres> | undefined;
  #serving: WebServer | Workers | undefined;
  #stopped: Promise<void> | undefined;

  /**
   * Settings, PostgreSQL, migrations, application, port: in this order, each only when the one before it is there.
   * @returns what is to be said of the running server
   * @throws {ConfigError | DataFolderInUse | WorkerEnded | Error} what stands in the way; `stop` then ends what was started
   */
  async start(environment: Record<string, string | undefined>, onLost: (reason: string) => void): Promise<ServerFacts> {
    const settings = loadSettings(environment);
    const isPrimary = cluster.isPrimary && settings.WEB_CONCURRENCY > 1;
    const serving = isPrimary ? new Workers() : new WebServer();
    const config = cluster.isWorker ? asGiven(settings) : await this.#prepare(settings, onLost);
    this.#assertStarting();
    this.#serving = serving;
    const port = await serving.start(config);
    return { config, port, dataDir: this.#embedded && resolve(settings.DATA_DIR), postgresRunsAs: this.#embedded?.runsAs };
  }

  /** Ends connections, then the application, then PostgreSQL; also a start that is under way. Harmless when repeated. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** For a process that ends right now. */
  stopAtExit(): void {
    if (this.#serving instanceof Workers) this.#serving.stopAtExit();
    this.#embedded?.stopAtExit();
  }

  async #stop(): Promise<void> {
    try {
      await this.#serving?.stop();
    } finally {
      // One that is still starting cannot be left alone: it is waited for, then stopped.
      const embedded = await this.#embeddedStart?.catch(() => undefined);
      await embedded?.stop();
    }
  }

  /** What all processes of the server share: a PostgreSQL with the schema of this release, and the secret. */
  async #prepare(settings: Settings, onLost: (reason: string) => void): Promise<Config> {
    const dataDir = resolve(settings.DATA_DIR);
    const code = import('./database/migrate.js');
    code.catch(() => {}); // awaited below, unless PostgreSQL fails first
    const databaseUrl = settings.DATABASE_URL ?? (await this.#startEmbedded(settings, dataDir, onLost));
    const config = new Config(settings, { databaseUrl, jwtSecrets: settings.JWT_SECRET ?? [secretIn(dataDir)] });
    // The application gives its process a logger; this is for what is said before, and in the primary, which has none.
    logAsJson(config);
    const logger = new Logger('Server');
    const { migrate } = await code;
    await migrate(databaseUrl, {
      patienceMs: DATABASE_PATIENCE_MS,
      onWaiting: (reason) => logger.warn(`Waiting for PostgreSQL: ${reason}`),
    });
    return config;
  }

  async #startEmbedded(settings: Settings, dataDir: string, onLost: (reason: string) => void): Promise<string> {
    const maxConnections = settings.DATABASE_POOL * settings.WEB_CONCURRENCY + SPARE_CONNECTIONS;
    this.#embeddedStart = EmbeddedPostgres.start({ dataDir, maxConnections });
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

/** The primary has put both into its worker's environment. */
function asGiven(settings: Settings): Config {
  return new Config(settings, { databaseUrl: settings.DATABASE_URL!, jwtSecrets: settings.JWT_SECRET! });
}

function logAsJson(config: Config): void {
  const params = loggerParams(config);
  Logger.overrideLogger(new JsonLogger(new PinoLogger(params), params));
}

function secretIn(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  return keptSecret(join(dataDir, 'jwt-secret'));
}

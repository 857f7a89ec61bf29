import type { Redis } from 'ioredis';
import { Config } from '../../src/config/config.js';
import { loadSettings } from '../../src/config/settings.js';
import { Lifecycle } from '../../src/config/lifecycle.js';
import { PRESENCE_TIMES, type PresenceTimes } from '../../src/presence/presence-lease.js';
import type { VisibleChange } from '../../src/presence/presence-store.js';
import { RedisPresenceStore } from '../../src/presence/redis-presence-store.js';
import { RedisConnections } from '../../src/redis/redis-connections.js';

/** The presence store of one instance, with its own connections to Redis, and all that it says. */
export class PresenceInstance {
  readonly changes: VisibleChange[] = [];
  readonly uncalled: VisibleChange[] = [];
  missed = 0;

  private constructor(
    readonly store: RedisPresenceStore,
    readonly lifecycle: Lifecycle,
    private readonly connections: RedisConnections,
  ) {
    store.listen({
      onChange: (change) => this.changes.push(change),
      onUncalled: (change) => this.uncalled.push(change),
      onMissed: () => this.missed++,
    });
  }

  static async start(redisUrl: string, prefix: string, times: Partial<PresenceTimes> = {}, cluster = false): Promise<PresenceInstance> {
    const settings = loadSettings({ REDIS_URL: redisUrl, REDIS_PREFIX: prefix, REDIS_CLUSTER: String(cluster) });
    const config = new Config(settings, { databaseUrl: '', jwtSecrets: [''] });
    const connections = new RedisConnections(config);
    // The client has a deadline of its own.
    if (!cluster && times.answerMs !== undefined) (connections.commands as Redis).options.commandTimeout = times.answerMs;
    const lifecycle = new Lifecycle();
    const store = new RedisPresenceStore(connections, config, lifecycle, { ...PRESENCE_TIMES, ...times });
    const instance = new PresenceInstance(store, lifecycle, connections);
    await store.onModuleInit();
    return instance;
  }

  /** What it has said of the user, in order. */
  saidOf(user: string): string[] {
    return this.changes.filter((change) => change.user === user).map(({ status }) => status);
  }

  /** Ends as a killed process does: without a word. */
  async kill(): Promise<void> {
    this.connections.onApplicationShutdown();
    await this.store.stop();
  }

  /** Ends as a stopping server does, behind its last connection. */
  async leave(): Promise<void> {
    await this.store.leave();
    this.connections.onApplicationShutdown();
  }
}

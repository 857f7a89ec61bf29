import { createHmac, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import type { Message } from '../../src/protocol/index.js';
import { BuiltServer, REPOSITORY } from '../support/built-server.js';
import { ChatClient, type ConnectOptions, type Frame } from '../support/chat-client.js';
import { createTestDatabase } from '../support/test-database.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

const JWT_SECRET = 'a-secret-of-the-tests-0123456789-abcdefghij';

export interface InstanceOptions {
  /** Modules of `hooks/` that the process loads before the server. */
  hooks?: readonly string[];
  /** Settings over the usual ones, and what the hooks are told. */
  settings?: Record<string, string>;
}

/** One server process of a cluster, by whichever process it is at the time. */
export class Instance {
  #server: BuiltServer;
  #url: string | undefined;

  private constructor(private readonly options: { nodeOptions: string[]; settings: Record<string, string> }) {
    this.#server = BuiltServer.start(options);
  }

  static async start(options: { nodeOptions: string[]; settings: Record<string, string> }): Promise<Instance> {
    const instance = new Instance(options);
    await instance.#ready();
    return instance;
  }

  get url(): string {
    if (this.#url === undefined) throw new Error('the instance is not there');
    return this.#url;
  }

  get wsUrl(): string {
    return `${this.url.replace('http', 'ws')}/ws`;
  }

  get isUp(): boolean {
    return this.#url !== undefined;
  }

  get server(): BuiltServer {
    return this.#server;
  }

  /** Ends the process by a signal, or waits for it to end by itself. @returns what it ended by */
  async end(signal: NodeJS.Signals | 'by itself'): Promise<string> {
    const exited = signal === 'by itself' ? this.#server.exited : this.#server.stop(signal);
    if (signal !== 'by itself') this.#url = undefined;
    const { code, signal: by } = await exited;
    this.#url = undefined;
    return by ?? `code ${code}`;
  }

  /** Starts it anew, without its hooks. */
  async restart(): Promise<void> {
    this.#server = BuiltServer.start({ settings: this.options.settings });
    await this.#ready();
  }

  /** What GET /health/ready says. */
  async readiness(): Promise<string> {
    const answer = await fetch(`${this.url}/health/ready`).catch(() => undefined);
    return ((await answer?.json()) as { status?: string } | undefined)?.status ?? 'gone';
  }

  async #ready(): Promise<void> {
    this.#url = await this.#server.ready();
    const server = this.#server;
    void server.exited.then(() => {
      if (server === this.#server) this.#url = undefined;
    });
  }
}

export interface Answer {
  status: number;
  text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  body: any;
}

export interface ClusterOptions {
  instances: number;
  /** Without it, a new one beside those of the other tests. */
  database?: { url: string; drop(): Promise<void> };
  settings?: Record<string, string>;
}

/** Server processes that share a database and a Redis of their own. */
export class FaultCluster {
  readonly instances: Instance[] = [];

  private constructor(
    readonly redis: TestRedis,
    readonly database: { url: string; drop(): Promise<void> },
    private readonly settings: Record<string, string>,
  ) {}

  static async start({ instances, database, settings = {} }: ClusterOptions): Promise<FaultCluster> {
    const [redis, stored] = await Promise.all([TestRedis.start(), database ?? createTestDatabase()]);
    const cluster = new FaultCluster(redis, stored, settings);
    await Promise.all(Array.from({ length: instances }, () => cluster.add()));
    return cluster;
  }

  /** Of the instances that serve. */
  get wsUrls(): string[] {
    return this.instances.filter(({ isUp }) => isUp).map(({ wsUrl }) => wsUrl);
  }

  /** One more instance. Resolves when it serves. */
  async add({ hooks = [], settings = {} }: InstanceOptions = {}): Promise<Instance> {
    const usual = { DATABASE_URL: this.database.url, DATABASE_POOL: '8', REDIS_URL: this.redis.url, JWT_SECRET, LIMITS: 'off' };
    const nodeOptions = hooks.flatMap((hook) => ['--import', join(REPOSITORY, 'test/faults/hooks', `${hook}.js`)]);
    const instance = await Instance.start({
      nodeOptions: ['--expose-gc', ...nodeOptions],
      settings: { ...usual, LOG_LEVEL: 'warn', DRAIN_MS: '1000', ...this.settings, ...settings },
    });
    this.instances.push(instance);
    return instance;
  }

  /** Takes an instance out for good. */
  async remove(instance: Instance): Promise<void> {
    this.instances.splice(this.instances.indexOf(instance), 1);
    if (instance.isUp) await instance.end('SIGKILL');
  }

  /** An access token as somebody's backend would sign it, `ageSeconds` ago. */
  token(user: string, seconds = 3_600, ageSeconds = 0): string {
    const now = Math.floor(Date.now() / 1_000) - ageSeconds;
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const claims = { sub: user, iss: 'parley', aud: 'parley', iat: now, exp: now + seconds, jti: randomUUID() };
    const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
    return `${signed}.${createHmac('sha256', JWT_SECRET).update(signed).digest('base64url')}`;
  }

  connect(user: string, instance: Instance = this.#any(), options: ConnectOptions = {}): Promise<ChatClient> {
    return ChatClient.connect(instance.wsUrl, { token: this.token(user), ...options });
  }

  /** @throws when the answer is not a success */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  async http(user: string, method: string, path: string, body?: object): Promise<any> {
    const { status, text, body: answer } = await this.answer(user, method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    return answer;
  }

  async answer(user: string, method: string, path: string, body?: unknown, instance: Instance = this.#any()): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.token(user)}`, 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(instance.url + path, { method, headers, ...sent });
    const text = await answer.text();
    return { status: answer.status, text, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
  }

  /** Makes a room; private without `type`. @returns its id */
  async room(owner: string, members: readonly string[] = [], type = 'private'): Promise<string> {
    const { id } = (await this.http(owner, 'POST', '/v1/rooms', { type, members: members.slice(0, 100) })) as { id: string };
    if (members.length > 100) {
      const text = `INSERT INTO memberships (room_id, user_id, role) SELECT $1, user_id, 'member' FROM unnest($2::text[]) user_id`;
      await this.sql(text, [id, members.slice(100)]);
    }
    return id;
  }

  /** One statement, past the servers. */
  async sql(text: string, values: unknown[] = []): Promise<void> {
    const client = new pg.Client({ connectionString: this.database.url });
    await client.connect();
    try {
      await client.query(text, values);
    } finally {
      await client.end();
    }
  }

  async headOf(user: string, room: string): Promise<number> {
    return ((await this.http(user, 'GET', `/v1/rooms/${room}`)) as { headSeq: number }).headSeq;
  }

  /** The room's log and history as they come, whole or not. */
  async recordOf(user: string, room: string): Promise<{ headSeq: number; events: Frame[]; messages: Message[] }> {
    const events: Frame[] = [];
    for (;;) {
      const page = await this.http(user, 'GET', `/v1/rooms/${room}/events?after=${events.at(-1)?.seq ?? 0}&limit=500`);
      events.push(...(page.events as Frame[]));
      if (page.events.length === 0) break;
    }
    const messages: Message[] = [];
    for (;;) {
      const page = await this.http(user, 'GET', `/v1/rooms/${room}/messages?after=${messages.at(-1)?.seq ?? 0}&limit=200`);
      messages.push(...(page.messages as Message[]));
      if (!page.hasAfter) break;
    }
    return { headSeq: await this.headOf(user, room), events, messages };
  }

  /** Waits until every instance has this readiness. */
  async becomes(readiness: string, patienceMs = 15_000): Promise<void> {
    const all = async () => (await Promise.all(this.instances.map((instance) => instance.readiness()))).every((one) => one === readiness);
    await until(all, `every instance is ${readiness}`, patienceMs);
  }

  async stop(): Promise<void> {
    await Promise.all(this.instances.splice(0).map((instance) => instance.end('SIGKILL')));
    await this.redis.stop();
    await this.database.drop();
  }

  #any(): Instance {
    const instance = this.instances.find(({ isUp }) => isUp);
    if (!instance) throw new Error('no instance is up');
    return instance;
  }
}

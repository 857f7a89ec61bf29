import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { withDatabase } from '../backing.js';
import { ServerProcess } from './server-process.js';

const SCRIPT = new URL('../../dist/src/main.js', import.meta.url);
const COUNT_STATEMENTS = new URL('./count-statements.js', import.meta.url).href;
const ONE_INSERT = new URL('./one-insert.js', import.meta.url).href;

/** As it is shipped, but for the rate limits: a load test is over them. */
export const parley = peer('Parley', []);
/** Parley with each message committed by itself. */
export const parleyOneInsert = peer('Parley, one INSERT a message', [ONE_INSERT]);
/** What metrics cost that nobody reads. */
export const parleyMeasured = peer('Parley, metrics on', [], { METRICS: 'true' });

function peer(name, preloads, settings = {}) {
  return {
    name,
    dialect: 'parley',
    async start({ backing, instances, profile, runId }) {
      const database = await backing.makeDatabase();
      const secret = randomBytes(32).toString('hex');
      const env = {
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        PORT: '0',
        DATABASE_URL: database,
        DATA_DIR: join(backing.folder, runId),
        REDIS_URL: backing.redisUrl,
        REDIS_PREFIX: `parley-${runId}`,
        JWT_SECRET: secret,
        LIMITS: 'off',
        LOG_LEVEL: 'warn',
        DRAIN_MS: '0',
        ...settings,
      };
      const servers = [];
      // One after the other: the first makes the schema.
      for (let index = 0; index < instances; index++) {
        servers.push(await ServerProcess.start({ script: SCRIPT, env, preloads: [COUNT_STATEMENTS, ...preloads], index, profile }));
      }
      return new RunningParley(backing, servers, database, secret);
    },
  };
}

class RunningParley {
  #backing;
  #database;
  #secret;

  constructor(backing, servers, database, secret) {
    this.#backing = backing;
    this.servers = servers;
    this.#database = database;
    this.#secret = secret;
  }

  /** Makes the rooms, public, with their members, and `messages` old ones in each. @param rooms `[{ id, members: [user] }]` */
  async prepare(rooms, { messages = 0, epoch = 'bench' } = {}) {
    await withDatabase(this.#database, async (client) => {
      await client.query(
        `INSERT INTO rooms (id, type, name, epoch, created_by, member_count, last_seq)
         SELECT r.id, 'public', 'bench', $3, 'owner', r.members, $4 FROM unnest($1::uuid[], $2::integer[]) AS r(id, members)`,
        [rooms.map(({ id }) => id), rooms.map(({ members }) => members.length), epoch, messages],
      );
      const memberships = rooms.flatMap(({ id, members }) => members.map((user) => [id, user]));
      await client.query(
        `INSERT INTO memberships (room_id, user_id, role, read_seq) SELECT m.room, m.member, 'member', $3 FROM unnest($1::uuid[], $2::text[]) AS m(room, member)`,
        [memberships.map(([room]) => room), memberships.map(([, user]) => user), messages],
      );
      await client.query(
        `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
         SELECT r.id, s, s, 'u' || s % 100, 'old-' || s, repeat('x', 200), '{}', now() - ($2 - s) * interval '1 second'
         FROM unnest($1::uuid[]) AS r(id), generate_series(1, $2::integer) AS s`,
        [rooms.map(({ id }) => id), messages],
      );
      if (messages > 0) await client.query('VACUUM ANALYZE messages');
    });
  }

  token(user) {
    const now = Math.floor(Date.now() / 1_000);
    const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const claims = { sub: user, iss: 'parley', aud: 'parley', iat: now, exp: now + 3_600, jti: randomUUID() };
    const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
    return `${signed}.${createHmac('sha256', this.#secret).update(signed).digest('base64url')}`;
  }

  /** @throws when not every acked message is in PostgreSQL, once. */
  async verify(rooms, { acked, messages = 0 }) {
    const { rows } = await withDatabase(this.#database, (client) =>
      client.query('SELECT count(*)::integer AS stored FROM messages WHERE room_id = ANY ($1::uuid[])', [rooms.map(({ id }) => id)]),
    );
    const stored = rows[0].stored - messages * rooms.length;
    if (stored !== acked) throw new Error(`${acked} messages were acked, and ${stored} are stored`);
  }

  async stop() {
    await Promise.all(this.servers.map((server) => server.stop()));
    await this.#backing.dropDatabase(this.#database);
  }
}

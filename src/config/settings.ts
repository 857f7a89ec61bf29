import { z } from 'zod';
import { OTEL_SETTINGS } from './otel-settings.js';
import {
  count,
  flag,
  integer,
  milliseconds,
  oneOf,
  origins,
  port,
  privateUrl,
  proxies,
  rate,
  redisUrls,
  seconds,
  secrets,
  signatures,
} from './setting-values.js';

/**
 * Every setting, read from the environment under its own name. `describe` is its line in docs/configuration.md and .env.example.
 * An empty value counts as not set.
 */
export const SETTINGS = z.object({
  PORT: port.default(3000).describe('TCP port of HTTP and WebSocket; 0 takes a free one.'),
  HOST: z.string().default('0.0.0.0').describe('Address to listen on.'),
  DATA_DIR: z.string().default('./data').describe('Folder of the embedded PostgreSQL and of generated secrets.'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgres:// or postgresql://')
    .optional()
    .describe('PostgreSQL 15 or newer; without it the embedded one is started.'),
  DATABASE_POOL: integer(4, 200).default(16).describe('PostgreSQL connections of one instance.'),
  REDIS_URL: redisUrls
    .optional()
    .describe('Redis 7 or Valkey, which joins several instances: redis:// or rediss://, of a cluster some nodes, comma-separated.'),
  REDIS_CLUSTER: flag.default(false).describe('Whether REDIS_URL names a Redis Cluster: then pub/sub is sharded.'),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w.:-]{1,64}$/, 'must be 1 to 64 letters, digits, `_`, `.`, `:` or `-`')
    .default('parley')
    .describe('Begins every key and channel in Redis; instances with the same one belong together.'),
  WEB_CONCURRENCY: count(128).default(1).describe('Processes that serve one port; more than 1 needs REDIS_URL.'),
  JWT_SECRET: secrets
    .optional()
    .describe(
      'HS256 secret of 32 bytes or more, or several, comma-separated: the first signs, all verify; without it one is generated into DATA_DIR.',
    ),
  JWT_ISSUER: z.string().min(1).default('parley').describe('The `iss` that access tokens signed with JWT_SECRET must have.'),
  JWT_AUDIENCE: z.string().min(1).default('parley').describe('The `aud` that access tokens signed with JWT_SECRET must have.'),
  ACCESS_TOKEN_SECONDS: seconds(1, 86_400).default(900).describe('Life of an access token of a local account.'),
  REFRESH_TOKEN_SECONDS: seconds(60, 31_536_000).default(2_592_000).describe('Life of a refresh token.'),
  LOCAL_ACCOUNTS: flag.default(true).describe('Whether users may register and log in here.'),
  GUESTS: flag.default(false).describe('Whether anybody may get a token as a guest.'),
  GUEST_TOKEN_SECONDS: seconds(60, 86_400).default(3600).describe('Life of a guest: of his only token.'),
  AUTH_JWKS_URL: privateUrl
    .optional()
    .describe('Key set (JWKS) of an identity provider, whose access tokens count too; needs its issuer and audience.'),
  AUTH_JWKS_ISSUER: z.string().optional().describe("The `iss` that the provider's tokens must have."),
  AUTH_JWKS_AUDIENCE: z.string().optional().describe("The `aud` that the provider's tokens must have."),
  AUTH_JWKS_ALGORITHMS: signatures.prefault('RS256,ES256,EdDSA').describe("Signatures that the provider's tokens may have."),
  AUTH_NAME_CLAIM: z
    .string()
    .min(1)
    .default('name')
    .describe("Claim of the provider's tokens that is the user's name; dots lead into objects."),
  AUTH_ROLES_CLAIM: z
    .string()
    .min(1)
    .default('roles')
    .describe("Claim of the provider's tokens that is the list of the user's roles; dots lead into objects."),
  ALLOWED_ORIGINS: origins.default([]).describe("Comma-separated exact Origins, for CORS too; without it, the server's own host."),
  WS_QUERY_TOKEN: flag.default(true).describe('Whether `?access_token=` may open a socket.'),
  TRUSTED_PROXIES: proxies
    .default([])
    .describe(
      'Comma-separated addresses or ranges of proxies whose `X-Forwarded-For` is believed; `loopback` and `uniquelocal` are names for some.',
    ),
  CONNECTIONS_PER_USER: count(10_000).default(50).describe('Open sockets of one user, on all instances together.'),
  ROOM_MEMBERS_MAX: count(100_000).default(100_000).describe('Members of one room.'),
  ROOMS_PER_USER: count(100_000).default(5_000).describe('Rooms that one user may be a member of.'),
  REMOVED_TEXT_DAYS: count(36_500).optional().describe('Days that removed texts and quotes in reports are kept; not set: for ever.'),
  LIMITS: flag.default(true).describe('Rate limits; `off` for load tests.'),
  LIMIT_COMMANDS: rate.default('50/500').describe('Commands and REST requests of one user: a second, and at once after a rest.'),
  LIMIT_COMMANDS_PER_CONNECTION: rate.default('50/500').describe('Commands of one connection.'),
  LIMIT_COMMANDS_PER_GUEST: rate.default('5/50').describe('Commands and REST requests of one guest, instead of LIMIT_COMMANDS.'),
  LIMIT_SENDS_PER_ROOM: rate.default('500/2000').describe('Messages sent to one room, by all its members.'),
  LIMIT_JOINS: rate.default('20/200').describe('Joins of one user.'),
  LIMIT_HANDSHAKES: rate.default('200/6000').describe('WebSocket handshakes of one address.'),
  LIMIT_REQUESTS_PER_ADDRESS: rate
    .default('200/6000')
    .describe('REST requests of one address without a token that counts, and those that fail before anybody asks whose they are.'),
  DOCS: flag.default(true).describe('Whether /docs and /openapi.json are served.'),
  METRICS: flag.default(false).describe('Whether /metrics is served on PORT, to anybody who can reach it.'),
  METRICS_PORT: port.optional().describe('TCP port, other than PORT, at HOST, that alone serves /metrics; several workers need it.'),
  ...OTEL_SETTINGS,
  DRAIN_MS: milliseconds(600_000).default(10_000).describe('Longest time that a stopping server takes to let its clients go.'),
  LOG_LEVEL: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least severe log line written.'),
});

type Environment = Record<string, string | undefined>;

export type Settings = z.infer<typeof SETTINGS>;

/** A setting that is wrong: the message names each one, and no value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** @throws {ConfigError} naming every setting that is wrong; those that do not go together are named when each by itself is right. */
export function loadSettings(environment: Environment): Settings {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = SETTINGS.safeParse(given);
  const problems = parsed.success
    ? [...togetherWithRedis(parsed.data), ...onePage(parsed.data), ...wholeProvider(parsed.data)]
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  if (problems.length > 0) throw new ConfigError([...new Set(problems)].join('\n'));
  return parsed.data!;
}

// Without Redis the processes of one port would know nothing of each other's users.
function* togetherWithRedis({ REDIS_URL, REDIS_CLUSTER, WEB_CONCURRENCY }: Settings): Iterable<string> {
  if (WEB_CONCURRENCY > 1 && !REDIS_URL) yield 'WEB_CONCURRENCY: more than 1 needs REDIS_URL';
  if (REDIS_URL && REDIS_URL.length > 1 && !REDIS_CLUSTER) yield 'REDIS_URL: several nodes need REDIS_CLUSTER';
}

// On the shared port a scrape would reach one worker, and another the next time.
function* onePage({ PORT, METRICS, METRICS_PORT, WEB_CONCURRENCY }: Settings): Iterable<string> {
  if (METRICS_PORT === PORT && PORT !== 0) yield 'METRICS_PORT: must be another one than PORT; METRICS=true serves /metrics on PORT';
  if (METRICS && METRICS_PORT === undefined && WEB_CONCURRENCY > 1) yield 'METRICS: with WEB_CONCURRENCY over 1 it needs METRICS_PORT';
}

// Without them a token that the provider made for any other service would be good here.
function* wholeProvider({ AUTH_JWKS_URL, AUTH_JWKS_ISSUER, AUTH_JWKS_AUDIENCE }: Settings): Iterable<string> {
  const given = [AUTH_JWKS_URL, AUTH_JWKS_ISSUER, AUTH_JWKS_AUDIENCE].filter((value) => value !== undefined).length;
  if (given !== 0 && given !== 3) yield 'AUTH_JWKS_URL: goes together with AUTH_JWKS_ISSUER and AUTH_JWKS_AUDIENCE';
}

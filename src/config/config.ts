import proxyAddress from 'proxy-addr';
import { pairsOf } from './otel-settings.js';
import { type Rate, rateOf } from './setting-values.js';
import type { Settings } from './settings.js';

/** What start-up finds or makes when the settings do not name it. */
export interface Provided {
  databaseUrl: string;
  /** One or more. The first signs. */
  jwtSecrets: readonly string[];
}

/** What the application runs with: the settings in camelCase, nothing missing, frozen. */
export class Config {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly databaseUrl: string;
  readonly databasePool: number;
  /** Empty: this instance is alone. */
  readonly redisUrl: readonly string[];
  readonly redisCluster: boolean;
  readonly redisPrefix: string;
  readonly webConcurrency: number;
  /** The first signs, all verify. */
  readonly jwtSecrets: readonly string[];
  readonly jwtIssuer: string;
  readonly jwtAudience: string;
  readonly accessTokenSeconds: number;
  readonly refreshTokenSeconds: number;
  readonly localAccounts: boolean;
  readonly guests: boolean;
  readonly guestTokenSeconds: number;
  /** Null: there is no identity provider; its other settings mean nothing then. */
  readonly authJwksUrl: string | null;
  readonly authJwksIssuer: string | null;
  readonly authJwksAudience: string | null;
  readonly authJwksAlgorithms: readonly string[];
  readonly authNameClaim: string;
  readonly authRolesClaim: string;
  readonly allowedOrigins: readonly string[];
  readonly wsQueryToken: boolean;
  /** Whether an address is one of them, and its `X-Forwarded-For` believed. */
  readonly trustedProxies: (address: string, hops: number) => boolean;
  readonly connectionsPerUser: number;
  readonly roomMembersMax: number;
  readonly roomsPerUser: number;
  /** Undefined: what was removed is kept for ever. */
  readonly removedTextDays: number | undefined;
  readonly limits: boolean;
  readonly limitCommands: Rate;
  readonly limitCommandsPerConnection: Rate;
  readonly limitCommandsPerGuest: Rate;
  readonly limitSendsPerRoom: Rate;
  readonly limitJoins: Rate;
  readonly limitHandshakes: Rate;
  readonly limitRequestsPerAddress: Rate;
  readonly docs: boolean;
  /** Whether anything is measured: METRICS is on, or METRICS_PORT is set. */
  readonly metrics: boolean;
  /** Undefined: /metrics is on the main port. */
  readonly metricsPort: number | undefined;
  readonly otelExporterOtlpEndpoint: string | undefined;
  readonly otelExporterOtlpTracesEndpoint: string | undefined;
  readonly otelExporterOtlpHeaders: Readonly<Record<string, string>>;
  readonly otelExporterOtlpProtocol: Settings['OTEL_EXPORTER_OTLP_PROTOCOL'];
  readonly otelServiceName: string | undefined;
  readonly otelResourceAttributes: Readonly<Record<string, string>>;
  readonly otelTracesSampler: Settings['OTEL_TRACES_SAMPLER'];
  readonly otelTracesSamplerArg: number;
  readonly otelBspScheduleDelay: number;
  readonly drainMs: number;
  readonly logLevel: string;

  readonly #settings: Settings;

  constructor(settings: Settings, provided: Provided) {
    this.#settings = { ...settings, DATABASE_URL: provided.databaseUrl };
    this.port = settings.PORT;
    this.host = settings.HOST;
    this.dataDir = settings.DATA_DIR;
    this.databaseUrl = provided.databaseUrl;
    this.databasePool = settings.DATABASE_POOL;
    this.redisUrl = Object.freeze(settings.REDIS_URL ?? []);
    this.redisCluster = settings.REDIS_CLUSTER;
    this.redisPrefix = settings.REDIS_PREFIX;
    this.webConcurrency = settings.WEB_CONCURRENCY;
    this.jwtSecrets = Object.freeze([...provided.jwtSecrets]);
    this.jwtIssuer = settings.JWT_ISSUER;
    this.jwtAudience = settings.JWT_AUDIENCE;
    this.accessTokenSeconds = settings.ACCESS_TOKEN_SECONDS;
    this.refreshTokenSeconds = settings.REFRESH_TOKEN_SECONDS;
    this.localAccounts = settings.LOCAL_ACCOUNTS;
    this.guests = settings.GUESTS;
    this.guestTokenSeconds = settings.GUEST_TOKEN_SECONDS;
    this.authJwksUrl = settings.AUTH_JWKS_URL ?? null;
    this.authJwksIssuer = settings.AUTH_JWKS_ISSUER ?? null;
    this.authJwksAudience = settings.AUTH_JWKS_AUDIENCE ?? null;
    this.authJwksAlgorithms = Object.freeze(settings.AUTH_JWKS_ALGORITHMS);
    this.authNameClaim = settings.AUTH_NAME_CLAIM;
    this.authRolesClaim = settings.AUTH_ROLES_CLAIM;
    this.allowedOrigins = Object.freeze(settings.ALLOWED_ORIGINS);
    this.wsQueryToken = settings.WS_QUERY_TOKEN;
    this.trustedProxies = proxyAddress.compile(settings.TRUSTED_PROXIES);
    this.connectionsPerUser = settings.CONNECTIONS_PER_USER;
    this.roomMembersMax = settings.ROOM_MEMBERS_MAX;
    this.roomsPerUser = settings.ROOMS_PER_USER;
    this.removedTextDays = settings.REMOVED_TEXT_DAYS;
    this.limits = settings.LIMITS;
    this.limitCommands = rateOf(settings.LIMIT_COMMANDS);
    this.limitCommandsPerConnection = rateOf(settings.LIMIT_COMMANDS_PER_CONNECTION);
    this.limitCommandsPerGuest = rateOf(settings.LIMIT_COMMANDS_PER_GUEST);
    this.limitSendsPerRoom = rateOf(settings.LIMIT_SENDS_PER_ROOM);
    this.limitJoins = rateOf(settings.LIMIT_JOINS);
    this.limitHandshakes = rateOf(settings.LIMIT_HANDSHAKES);
    this.limitRequestsPerAddress = rateOf(settings.LIMIT_REQUESTS_PER_ADDRESS);
    this.docs = settings.DOCS;
    this.metrics = settings.METRICS || settings.METRICS_PORT !== undefined;
    this.metricsPort = settings.METRICS_PORT;
    this.otelExporterOtlpEndpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT;
    this.otelExporterOtlpTracesEndpoint = settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
    this.otelExporterOtlpHeaders = pairsOf(settings.OTEL_EXPORTER_OTLP_HEADERS)!;
    this.otelExporterOtlpProtocol = settings.OTEL_EXPORTER_OTLP_PROTOCOL;
    this.otelServiceName = settings.OTEL_SERVICE_NAME;
    this.otelResourceAttributes = pairsOf(settings.OTEL_RESOURCE_ATTRIBUTES)!;
    this.otelTracesSampler = settings.OTEL_TRACES_SAMPLER;
    this.otelTracesSamplerArg = settings.OTEL_TRACES_SAMPLER_ARG;
    this.otelBspScheduleDelay = settings.OTEL_BSP_SCHEDULE_DELAY;
    this.drainMs = settings.DRAIN_MS;
    this.logLevel = settings.LOG_LEVEL;
    Object.freeze(this);
  }

  /** Where traces are posted to; undefined when there are to be none. */
  get tracesUrl(): string | undefined {
    return this.otelExporterOtlpTracesEndpoint ?? this.otelExporterOtlpEndpoint?.replace(/\/*$/, '/v1/traces');
  }

  /** As they were given, before anything was made of them. Secrets are among them. */
  get settings(): Readonly<Settings> {
    return this.#settings;
  }
}

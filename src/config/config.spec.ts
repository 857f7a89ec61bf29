import { describe, expect, it } from '@jest/globals';
import { Config } from './config.js';
import { ConfigError, loadSettings, SETTINGS } from './settings.js';

const STRONG = 'correct-horse-battery-staple-0123456789';
const provided = { databaseUrl: 'postgres://x', jwtSecrets: ['y'] };

describe('settings', () => {
  it('are all optional, and an empty value counts as not set', () => {
    const empty = Object.fromEntries(Object.keys(SETTINGS.shape).map((name) => [name, '']));
    expect(loadSettings(empty)).toEqual(loadSettings({}));
    expect(loadSettings({})).toMatchObject({ PORT: 3000, DATA_DIR: './data', LIMITS: true, ALLOWED_ORIGINS: [] });
  });

  it('are each described', () => {
    for (const [name, schema] of Object.entries(SETTINGS.shape))
      expect([name, schema.description]).toEqual([name, expect.stringMatching(/\.$/)]);
  });

  it('become one frozen object that lacks none of them', () => {
    const config = new Config(loadSettings({ ALLOWED_ORIGINS: ' https://a.example, ,https://b.example' }), provided);
    expect(config.allowedOrigins).toEqual(['https://a.example', 'https://b.example']);
    // The one setting that may name several has a name that says so.
    const camel = (name: string) =>
      (name === 'JWT_SECRET' ? 'jwt_secrets' : name).toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    expect(Object.keys(config).sort()).toEqual(Object.keys(SETTINGS.shape).map(camel).sort());
    expect(Object.isFrozen(config) && Object.isFrozen(config.allowedOrigins)).toBe(true);
  });

  it.each([
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['METRICS_PORT', '3000'],
    ['DATABASE_URL', 'localhost'],
    ['LIMITS', 'maybe'],
    ['LOG_LEVEL', 'loud'],
    ['REDIS_URL', 'localhost:6379'],
    ['REDIS_URL', 'redis://one:6379,redis://two:6379'],
    ['REDIS_PREFIX', 'a b'],
    ['WEB_CONCURRENCY', '2'],
    ['DATABASE_POOL', '1'],
    ['JWT_SECRET', 'x'.repeat(31)],
    ['JWT_SECRET', 'ab'.repeat(32)],
    ['JWT_SECRET', `${STRONG},${'x'.repeat(31)}`],
    ['JWT_SECRET', ' , '],
    ['ALLOWED_ORIGINS', 'https://chat.example/'],
    ['ALLOWED_ORIGINS', 'https://chat.example:443'],
    ['ALLOWED_ORIGINS', 'chat.internal'],
    ['ALLOWED_ORIGINS', '*'],
    ['ALLOWED_ORIGINS', 'https://*.example'],
    ['CONNECTIONS_PER_USER', 'many'],
    ['AUTH_JWKS_URL', 'https://login.example/keys'],
    ['AUTH_JWKS_URL', 'http://login.example/keys'],
    ['AUTH_JWKS_URL', 'file:///keys'],
    ['AUTH_JWKS_ALGORITHMS', 'RS256,HS256'],
    ['AUTH_JWKS_ALGORITHMS', 'none'],
    ['AUTH_JWKS_ALGORITHMS', ','],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'x-key'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%zz'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
  ])('refuse %s=%s by name, without the value', (name, value) => {
    expect(() => loadSettings({ [name]: value })).toThrow(ConfigError);
    const escaped = value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    expect(() => loadSettings({ [name]: value })).toThrow(new RegExp(`^${name}[.\\d]*: (?!.*${escaped})`));
  });

  it('take any two free ports', () => {
    expect(loadSettings({ PORT: '0', METRICS_PORT: '0' })).toMatchObject({ PORT: 0, METRICS_PORT: 0 });
  });

  it('take several secrets, and a whole identity provider', () => {
    expect(loadSettings({ JWT_SECRET: `${STRONG}, ${STRONG}-older` }).JWT_SECRET).toEqual([STRONG, `${STRONG}-older`]);
    const provider = { AUTH_JWKS_URL: 'https://login.example/keys', AUTH_JWKS_ISSUER: 'https://login.example', AUTH_JWKS_AUDIENCE: 'chat' };
    expect(loadSettings(provider)).toMatchObject({ ...provider, AUTH_JWKS_ALGORITHMS: ['RS256', 'ES256', 'EdDSA'] });
    for (const left of Object.keys(provider))
      expect(() => loadSettings({ ...provider, [left]: '' })).toThrow(/^AUTH_JWKS_URL: goes together/);
    for (const host of ['localhost', '127.0.0.1', '[::1]'])
      expect(loadSettings({ ...provider, AUTH_JWKS_URL: `http://${host}:8080/keys` })).toBeDefined();
  });

  it('say where traces go, as OpenTelemetry reads them', () => {
    const config = (environment: Record<string, string>) => new Config(loadSettings(environment), provided);
    expect(config({}).tracesUrl).toBeUndefined();
    for (const endpoint of ['http://c:4318', 'http://c:4318/']) {
      expect(config({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).tracesUrl).toBe('http://c:4318/v1/traces');
    }
    const both = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://d/in' };
    expect(config(both).tracesUrl).toBe('https://d/in');
    expect(config({ OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%2Cb, authorization=Bearer c=' }).otelExporterOtlpHeaders).toEqual({
      'x-key': 'a,b',
      authorization: 'Bearer c=',
    });
  });

  it('name every one that is wrong', () => {
    const wrong = { PORT: 'a', DRAIN_MS: '-1', JWT_SECRET: 'short', GUESTS: 'perhaps' };
    expect(() => loadSettings(wrong)).toThrow(
      new ConfigError(
        'PORT: must be a whole number from 0 to 65535\nJWT_SECRET: must have at least 32 bytes\nGUESTS: must be true or false\n' +
          'DRAIN_MS: must be a whole number from 0 to 600000',
      ),
    );
    expect(() => loadSettings({ WEB_CONCURRENCY: '2', METRICS: 'on' })).toThrow(/^WEB_CONCURRENCY: .+\nMETRICS: .+$/);
  });

  it('take origins as browsers send them', () => {
    const origins = ['https://chat.example', 'http://localhost:5173', 'capacitor://localhost', 'chrome-extension://abcdef'];
    expect(loadSettings({ ALLOWED_ORIGINS: origins.join(',') }).ALLOWED_ORIGINS).toEqual(origins);
  });
});

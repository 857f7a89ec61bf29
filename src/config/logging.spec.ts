import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ServerResponse } from 'node:http';
import { pino } from 'pino';
import { QueryFailedError } from 'typeorm';
import type { Config } from './config.js';
import { loggerParams, redactUrl } from './logging.js';

describe('redactUrl', () => {
  it.each([
    ['/ws?access_token=abc', '/ws?access_token=[redacted]'],
    ['/ws?v=1&ticket=t-1&w=2', '/ws?v=1&ticket=[redacted]&w=2'],
    ['/ws?Access_Token=abc#x', '/ws?Access_Token=[redacted]#x'],
    ['/ws?ticket=a&ticket=b', '/ws?ticket=[redacted]&ticket=[redacted]'],
    ['/ws?t%69cket=abc', '/ws?[redacted]'],
    ['/v1/rooms?cursor=a%20b', '/v1/rooms?cursor=a%20b'],
    ['/ticket=abc', '/ticket=abc'],
    ['', ''],
  ])('%s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });

  it('lets no token through that a server would read', () => {
    fc.assert(
      fc.property(fc.constantFrom('access_token', 'ticket'), fc.array(fc.tuple(fc.string(), fc.string())), (name, others) => {
        const query = new URLSearchParams([...others, [name, 'TELLNOBODY'], ...others]);
        expect(redactUrl(`/ws?${query.toString()}`)).not.toContain('TELLNOBODY');
      }),
    );
  });
});

it('logs no value of a statement that failed', () => {
  const lines: string[] = [];
  const { pinoHttp } = loggerParams({ logLevel: 'info' } as Config);
  const { serializers } = pinoHttp as { serializers: Record<string, (value: unknown) => unknown> };
  const logger = pino(
    { serializers: { err: pino.stdSerializers.wrapErrorSerializer(serializers.err as never) } },
    { write: (line: string) => lines.push(line) },
  );
  const cause = Object.assign(new Error('timeout'), { code: '57014', detail: 'Key (username)=(ada)', parameters: ['ada', '$argon2id$x'] });
  logger.error({ err: new QueryFailedError('INSERT INTO accounts', ['ada', '$argon2id$x'], cause) }, 'failed');
  expect(lines[0]).toContain('57014');
  expect(lines[0]).not.toMatch(/argon2id|ada|INSERT/);
});

it.each([
  [200, undefined, 'info'],
  [404, undefined, 'info'],
  [500, new Error('a fault'), 'error'],
  [500, undefined, 'error'],
  [200, new Error('the connection ended'), 'error'],
  [503, new Error('connect ECONNREFUSED'), 'warn'],
  [503, undefined, 'warn'],
  [504, new Error('Query read timeout'), 'warn'],
])('a request that ends in %s with %s is logged as %s', (statusCode, error, level) => {
  const { customLogLevel } = loggerParams({ logLevel: 'info' } as Config).pinoHttp as {
    customLogLevel: (request: unknown, response: Partial<ServerResponse>, error?: Error) => string;
  };
  expect(customLogLevel({}, { statusCode }, error)).toBe(level);
});

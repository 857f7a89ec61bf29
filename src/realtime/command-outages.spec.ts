import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ChatError } from '../errors/chat-error.js';
import { CommandOutages } from './command-outages.js';

describe('commands that fail by an outage', () => {
  let outages: CommandOutages;
  let warn: jest.SpiedFunction<Logger['warn']>;
  beforeEach(() => {
    jest.useFakeTimers();
    warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    outages = new CommandOutages();
  });
  afterEach(() => {
    jest.useRealTimers();
    warn.mockRestore();
  });

  const refused = (port: number) => {
    const cause = Object.assign(new Error(`connect ECONNREFUSED 10.0.0.1:${port}`), { code: 'ECONNREFUSED' });
    return new ChatError('unavailable', 'The database is not available.', { cause });
  };
  const lines = () => warn.mock.calls.splice(0);

  it('are one line a cause each five seconds, without a stack', () => {
    for (let i = 0; i < 392; i++) outages.count(refused(5432));
    outages.count(new ChatError('timeout', 'The database did not answer in time.', { cause: new Error('Query read timeout') }));
    outages.count(new ChatError('unavailable', 'Too much is waiting to be stored.'));
    expect(lines()).toEqual([]);
    jest.advanceTimersByTime(5_000);
    const unreachable = { code: 'unavailable', cause: 'ECONNREFUSED', reason: 'connect ECONNREFUSED 10.0.0.1:5432' };
    expect(lines()).toEqual([
      [{ failures: 392, ...unreachable }, '392 commands failed: unavailable'],
      [{ failures: 1, code: 'timeout', reason: 'Query read timeout' }, '1 command failed: timeout'],
      [{ failures: 1, code: 'unavailable', reason: 'Too much is waiting to be stored.' }, '1 command failed: unavailable'],
    ]);
    jest.advanceTimersByTime(60_000);
    expect(lines()).toEqual([]);
    outages.count(refused(5432));
    jest.advanceTimersByTime(5_000);
    expect(lines()).toEqual([[{ failures: 1, ...unreachable }, '1 command failed: unavailable']]);
  });

  it('are all counted, however many causes there are', () => {
    for (let i = 0; i < 200; i++) outages.count(refused(i % 100));
    jest.advanceTimersByTime(5_000);
    const told = lines().map(([about]) => about as { failures: number; reason: string });
    expect(told).toHaveLength(21);
    expect(told.reduce((sum, { failures }) => sum + failures, 0)).toBe(200);
    expect(told[20]).toEqual({ failures: 160, code: 'unavailable', reason: 'many causes' });
  });

  it('are told when the server stops, too', () => {
    outages.count(refused(5432));
    outages.onModuleDestroy();
    expect(lines()).toHaveLength(1);
    jest.advanceTimersByTime(5_000);
    expect(lines()).toEqual([]);
  });
});

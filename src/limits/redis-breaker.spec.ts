import { afterEach, expect, it, jest } from '@jest/globals';
import { RedisBreaker } from './redis-breaker.js';

afterEach(() => void jest.restoreAllMocks());

it('a Redis that failed is asked nothing for a second, and then again', () => {
  const breaker = new RedisBreaker();
  const clock = jest.spyOn(performance, 'now').mockReturnValue(5_000);
  expect(breaker.isClosed).toBe(true);
  breaker.open();
  clock.mockReturnValue(5_999);
  expect(breaker.isClosed).toBe(false);
  clock.mockReturnValue(6_000);
  expect(breaker.isClosed).toBe(true);
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Storm } from './storm.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function arrive(storm: Storm, times: number, everyMs: number): void {
  for (let count = 0; count < times; count++) {
    jest.advanceTimersByTime(everyMs);
    storm.arrived();
  }
}

describe('Storm', () => {
  it('is no storm while clients come now and then, however many', () => {
    const storm = new Storm();
    arrive(storm, 500, 15);
    expect(storm.isUnderWay).toBe(false);
  });

  it('is one as soon as twenty come in a fifth of a second, and until a second after', () => {
    const storm = new Storm();
    arrive(storm, 19, 1);
    expect(storm.isUnderWay).toBe(false);
    arrive(storm, 1, 1);
    expect(storm.isUnderWay).toBe(true);
    jest.advanceTimersByTime(990);
    expect(storm.isUnderWay).toBe(true);
    jest.advanceTimersByTime(20);
    expect(storm.isUnderWay).toBe(false);
  });
});

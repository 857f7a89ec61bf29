import { expect, it, jest } from '@jest/globals';
import { SharedLimit } from './shared-limit.js';
import type { SharedWindows } from './shared-windows.js';

it('a limit that hears late of what others took owes what has not come back since', async () => {
  // A tenth of the burst was taken here, and 60 elsewhere; ten a second have come back in the four seconds of Redis's window.
  const report = jest.fn<SharedWindows['report']>().mockResolvedValue({ counted: 70, sinceMs: 4_000 });
  const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000_000);
  const limit = new SharedLimit(
    { name: 'user', countedAs: 'commands' },
    { perSecond: 10, burst: 100 },
    () => ({ report }) as unknown as SharedWindows,
  );
  for (let taken = 0; taken < 10; taken++) expect(limit.take('ada')).toBe(0);
  await report.mock.results[0]!.value;
  expect(report.mock.calls).toEqual([['ada', 10]]);
  expect(limit.standing('ada').tokens).toBe(100 - 10 - (60 - 40));
  clock.mockRestore();
});

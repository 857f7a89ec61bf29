import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { REPOSITORY } from '../support/built-server.js';

const run = promisify(execFile);

interface Row {
  work: string;
  peer: string;
  remark?: string;
  [figure: string]: unknown;
}

interface Target {
  text: string;
  isMet: boolean;
}

/** What each work must say of each of its rows; how large it is depends on the machine. */
const TALK = [
  'deliveriesPerSecond',
  'ackedPerSecond',
  'microsPerDelivery',
  'microsPerMessage',
  'p50',
  'p99',
  'serverShare',
  'generatorShare',
];
const FIGURES: Record<string, { rows: number; figures: string[] }> = {
  'one-room': { rows: 4, figures: TALK },
  'one-sender': { rows: 4, figures: TALK },
  'many-rooms': { rows: 4, figures: TALK },
  idle: { rows: 3, figures: ['heapEach'] },
  connect: { rows: 3, figures: ['connectionsPerSecond'] },
  across: { rows: 2, figures: TALK },
  history: { rows: 3, figures: ['pages', 'p50', 'p99'] },
  'room-growth': { rows: 2, figures: TALK },
  'rooms-growth': { rows: 2, figures: TALK },
};

describe('npm run bench', () => {
  it('measures every work at every peer, in its quick form', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-bench-test-'));
    try {
      const json = join(folder, 'rows.json');
      const { stdout } = await run(process.execPath, ['bench/main.js', '--quick', `--json=${json}`], { cwd: REPOSITORY });
      const rows = JSON.parse(await readFile(json, 'utf8')) as Row[];
      expect([...new Set(rows.map(({ work }) => work))]).toEqual(Object.keys(FIGURES));
      for (const [work, { rows: count, figures }] of Object.entries(FIGURES)) {
        const ofWork = rows.filter((row) => row.work === work);
        expect([work, ofWork.length]).toEqual([work, count]);
        for (const row of ofWork) {
          const missing = figures.filter((figure) => !(typeof row[figure] === 'number' && row[figure] > 0));
          expect([work, row.peer, row.remark ?? '', missing]).toEqual([work, row.peer, expect.not.stringContaining('FAILED'), []]);
          expect(stdout).toContain(row.peer);
        }
        expect(ofWork.flatMap(({ targets = [] }) => targets as Target[]).filter(({ text }) => /not measured/.test(text))).toEqual([]);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 240_000);
});

/** The bench is JavaScript without declarations. */
const MARKER_COUNT: string = '../../bench/generator/marker-count.js';

interface MarkerCount {
  feed(chunk: Buffer): number;
}

it('the generator counts a marker as often as it comes, however the bytes are cut', async () => {
  const module = (await import(MARKER_COUNT)) as {
    MarkerCount: new (marker: Buffer, skip?: number) => MarkerCount;
  };
  const cuts = fc.array(fc.nat(1_000), { maxLength: 20 });
  const pieces = fc.array(fc.constantFrom('@@', '@', 'x', '"ack"', '"ac', 'k"'), { maxLength: 60 });
  fc.assert(
    fc.property(fc.constantFrom('@@x', '"ack"'), pieces, cuts, (marker, parts, at) => {
      const bytes = Buffer.from(parts.join(''));
      const count = new module.MarkerCount(Buffer.from(marker));
      const bounds = [0, ...at.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      const counted = bounds.slice(1).reduce((sum, end, i) => sum + count.feed(bytes.subarray(bounds[i], end)), 0);
      expect(counted).toBe(bytes.toString().split(marker).length - 1);
    }),
    { numRuns: 500 },
  );
});

import type { Harm } from './oracle.js';
import type { Outcome } from './scenario.js';

export interface Row extends Outcome {
  name: string;
  seed: number;
}

const HEAD = ['fault', 'acked', 'lost', 'doubled', 'out of order', 'other', 'worst delivery', 'seed', 'notes'];
const WIDTHS = [44, 7, 5, 8, 13, 6, 15, 11, 0];

/** The table's two first lines. */
export function headLines(): string[] {
  const head = line(HEAD);
  return [head, '-'.repeat(head.length + 20)];
}

export function lineOf({ name, seed, acked, problems, worstDeliveryMs, notes }: Row): string {
  const count = (harm: Harm) => problems.filter((problem) => problem.harm === harm).length;
  const counts = [acked, count('lost'), count('doubled'), count('out of order'), count('wrong')];
  return line([name, ...counts.map(String), `${Math.round(worstDeliveryMs)} ms`, String(seed), notes]);
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, index) => (index === 0 ? cell.padEnd(WIDTHS[0]!) : `  ${index === 8 ? cell : cell.padStart(WIDTHS[index]!)}`))
    .join('');
}

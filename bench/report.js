import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { hasTaskset } from './cores.js';

const DOCS = new URL('../docs/benchmarks.md', import.meta.url);
const FROM = '<!-- The table of a run, written by `npm run bench -- --markdown`. -->';
const TO = '<!-- End of the table. -->';
/** Over this share of a core the generator may be what is measured, unless the server is busier still. */
const GENERATOR_BOUND = 0.9;

const COLUMNS = [
  ['work', ({ title }) => title],
  ['peer', ({ peer }) => peer],
  ['deliveries/s', ({ deliveriesPerSecond }) => whole(deliveriesPerSecond)],
  ['acked/s', ({ ackedPerSecond }) => whole(ackedPerSecond)],
  ['server µs a delivery', ({ microsPerDelivery }) => fixed(microsPerDelivery, 2)],
  ['a message', ({ microsPerMessage }) => whole(microsPerMessage)],
  ['p50 ms', ({ p50 }) => fixed(p50, 1)],
  ['p99 ms', ({ p99 }) => fixed(p99, 1)],
  ['busy: server', ({ serverShare }) => percent(serverShare)],
  ['generator', ({ generatorShare }) => percent(generatorShare)],
  ['other cores', ({ othersShare }) => percent(othersShare)],
  ['', remarks],
];

/** One table of all rows; a work is named in its first. */
export function markdownTable(rows) {
  const lines = rows.map((row, i) => COLUMNS.map(([, cell]) => cell(row.title === rows[i - 1]?.title ? { ...row, title: '' } : row)));
  const heads = COLUMNS.map(([head]) => head);
  const widths = heads.map((head, i) => Math.max(3, head.length, ...lines.map((line) => line[i].length)));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...lines.map(line)].join('\n');
}

export function describeMachine(postgres) {
  const placing = hasTaskset
    ? 'each server on one core, PostgreSQL, Redis and the generator on the others'
    : 'placed by the system (no taskset)';
  return (
    `${cpus()[0]?.model.trim() ?? 'CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB, Linux ${release()}, ` +
    `Node ${process.versions.node}, PostgreSQL ${postgres}; ${placing}; ${new Date().toISOString().slice(0, 10)}`
  );
}

/** Puts a run in place of the last one. */
export function writeIntoDocs(machine, table) {
  const text = readFileSync(DOCS, 'utf8');
  const [from, to] = [text.indexOf(FROM), text.indexOf(TO)];
  if (from === -1 || to === -1) throw new Error('docs/benchmarks.md has no place for the table');
  writeFileSync(DOCS, `${text.slice(0, from + FROM.length)}\n\n${machine}.\n\n${table}\n\n${text.slice(to)}`);
}

function remarks({ generatorShare, serverShare, remark, targets = [] }) {
  const bound = generatorShare > GENERATOR_BOUND && generatorShare >= serverShare ? ['**GENERATOR-BOUND: no measure of the server**'] : [];
  return [...bound, ...(remark ? [remark] : []), ...targets.map(({ text }) => text)].join('; ');
}

function whole(value) {
  return value === undefined ? '' : Math.round(value).toLocaleString('en');
}

function fixed(value, digits) {
  return value === undefined ? '' : value.toFixed(digits);
}

function percent(value) {
  return value === undefined ? '' : `${Math.round(value * 100)} %`;
}

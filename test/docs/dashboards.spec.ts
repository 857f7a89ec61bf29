import { describe, expect, it } from '@jest/globals';
import { load } from 'js-yaml';
import { readFileSync } from 'node:fs';
import { Metrics } from '../../src/telemetry/metrics.js';
import { readPromQl, type Selector } from '../support/promql.js';
import { tableOf, unquoted } from './markdown-table.js';

interface Rules {
  groups: { rules: { alert: string; expr: string; for: string; labels: { severity: string }; annotations: { summary: string } }[] }[];
}

interface Panel {
  type: string;
  title: string;
  targets?: { expr: string; legendFormat: string }[];
}

interface Dashboard {
  panels: Panel[];
  templating: { list: { name: string }[] };
}

interface Scrapes {
  scrape_configs: { job_name: string }[];
}

const rules = (load(readFileSync('deploy/prometheus-rules.yml', 'utf8')) as Rules).groups.flatMap((group) => group.rules);
const { panels, templating } = JSON.parse(readFileSync('deploy/grafana-dashboard.json', 'utf8')) as Dashboard;
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr, legendFormat }) => ({ title, expr, text: legendFormat })));
const asked = [...queries, ...rules.map(({ alert, expr, annotations }) => ({ title: alert, expr, text: annotations.summary }))];
const jobs = (load(readFileSync('deploy/prometheus.yml', 'utf8')) as Scrapes).scrape_configs.map(({ job_name: job }) => job);

/** What the labels of a series may be matched with; null is any value, where it depends on who runs it. */
type Labels = Map<string, Set<string> | null>;

/** What Prometheus gives every series, and the primary of several workers each of theirs. */
const addedLabels = (): Labels => new Map([['job', new Set(jobs)], ...['instance', 'worker'].map((label) => [label, null] as const)]);

/** By the names that samples have, of which a histogram has three: its labels with all their values. */
async function knownSeries(): Promise<Map<string, Labels>> {
  const known = new Map([['up', addedLabels()]]); // Prometheus's own
  for (const { name, values } of await new Metrics(true).families()) {
    for (const { metricName = name, labels } of values) {
      const ofIt = known.get(metricName) ?? addedLabels();
      known.set(metricName, ofIt);
      for (const [label, value] of Object.entries(labels)) ofIt.set(label, (ofIt.get(label) ?? new Set()).add(String(value)));
    }
  }
  return known;
}

/** What the expression asks for in vain, and what is said of it, in `{{…}}`, of labels that its result has not. */
async function faultsOf(expr: string, said = ''): Promise<string[]> {
  const { selectors, grouping } = readPromQl(expr);
  const known = await knownSeries();
  const series = selectors.map((selector) => ({ ...selector, labels: known.get(selector.metric) }));
  const labels = new Set(series.flatMap((one) => [...(one.labels?.keys() ?? [])]));
  const shown = [...said.matchAll(/{{\s*(?:\$labels\.)?(\w+)\s*}}/g)].map(([, label]) => label!);
  const left = new Set(grouping.length > 0 ? grouping : labels);
  return [
    ...series.flatMap((one) => (one.labels ? matchingNothing(one, one.labels) : [`no metric ${one.metric}`])),
    ...grouping.filter((label) => !labels.has(label)).map((label) => `no label ${label} to group by`),
    ...shown.filter((label) => !left.has(label)).map((label) => `no label ${label} to show`),
  ];
}

function matchingNothing({ metric, matchers }: Selector, labels: Labels): string[] {
  return matchers.flatMap(({ label, isRegex, value }) => {
    const values = labels.get(label);
    if (values === undefined) return [`${metric} has no label ${label}`];
    if (value.startsWith('$')) return templating.list.some(({ name }) => `$${name}` === value) ? [] : [`no variable ${value}`];
    const parts = isRegex ? value.split('|').map((part) => new RegExp(`^(?:${part})$`)) : [value];
    const isThere = (part: string | RegExp) =>
      values === null || (typeof part === 'string' ? values.has(part) : [...values].some((one) => part.test(one)));
    return parts.every(isThere) ? [] : [`${metric} has no ${label} ${value}`];
  });
}

describe('dashboard and alerts', () => {
  it.each(asked.map(({ title, expr, text }) => [title, expr, text] as const))(
    '%s asks for series and labels that are there',
    async (_title, expr, text) => {
      expect(readPromQl(expr).selectors.length).toBeGreaterThan(0);
      expect(await faultsOf(expr, text)).toEqual([]);
    },
  );

  it.each([
    ['rate(parley_nothing_total[5m]) > on (instance) up{job="parley"}', '', 'no metric parley_nothing_total'],
    ['up{job="other"}', '', 'up has no job other'],
    [
      'rate(parley_connections_closed_total{reason="slow_consumer"}[5m])',
      '',
      'parley_connections_closed_total has no reason slow_consumer',
    ],
    ['parley_connections_closed_total{reason=~"client|bored"}', '', 'parley_connections_closed_total has no reason client|bored'],
    ['parley_connections{instanze="x"}', '', 'parley_connections has no label instanze'],
    ['parley_connections{reason="client"}', '', 'parley_connections has no label reason'],
    ['parley_connections{job=~"$jobs"}', '', 'no variable $jobs'],
    ['sum by (room) (parley_connections)', '', 'no label room to group by'],
    ['sum by (instance) (parley_connections)', '{{ $labels.job }}', 'no label job to show'],
  ])('would notice that %s has a fault', async (expr, said, fault) => {
    expect(await faultsOf(expr, said)).toEqual([fault]);
  });

  it('would notice what is no PromQL', () => {
    expect(() => readPromQl('rate(parley_connections[5m]')).toThrow('no PromQL');
  });

  it('are whole: every panel has a query, every alert its severity, time and words', () => {
    for (const { type, title, targets } of panels) if (type !== 'row') expect([title, targets!.length > 0]).toEqual([title, true]);
    for (const { for: time, labels, annotations } of rules) {
      expect(time).toMatch(/^\d+m$/);
      expect(['critical', 'warning']).toContain(labels.severity);
      expect(annotations.summary).not.toBe('');
    }
  });

  it('leave out no metric of ours', async () => {
    const shown = new Set(queries.flatMap(({ expr }) => readPromQl(expr).selectors).map(({ metric }) => metric.replace(/_bucket$/, '')));
    const known = (await new Metrics(true).described()).map(({ name }) => name);
    expect(known.filter((name) => !shown.has(name))).toEqual([]);
  });
});

describe('docs/metrics.md', () => {
  it('lists every metric with its type, labels and help, and no other', async () => {
    const listed = tableOf('docs/metrics.md', 'metric').map((row) => ({
      name: unquoted(row['metric']!),
      type: row['type'],
      labels: [...row['labels']!.matchAll(/`(\w+)`/g)].map(([, label]) => label),
      help: row['what'],
    }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(listed.sort(byName)).toEqual((await new Metrics(true).described()).sort(byName));
  });
});

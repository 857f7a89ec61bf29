import { describe, expect, it } from '@jest/globals';
import { parser } from '@prometheus-io/lezer-promql';
import { load } from 'js-yaml';
import { readFileSync } from 'node:fs';
import { Metrics } from '../../src/telemetry/metrics.js';
import { MetricsPage } from '../support/metrics-page.js';
import { tableOf, unquoted } from './markdown-table.js';

interface Rules {
  groups: { rules: { alert: string; expr: string; for: string; labels: { severity: string }; annotations: { summary: string } }[] }[];
}

interface Panel {
  type: string;
  title: string;
  targets?: { expr: string }[];
}

const rules = (load(readFileSync('deploy/prometheus-rules.yml', 'utf8')) as Rules).groups.flatMap((group) => group.rules);
const { panels } = JSON.parse(readFileSync('deploy/grafana-dashboard.json', 'utf8')) as { panels: Panel[] };
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

/** Every metric that the expression names, by Prometheus's own grammar. @throws for what is no PromQL */
function metricsIn(expr: string): string[] {
  // Grafana puts a duration in its place.
  const text = expr.replaceAll('$__rate_interval', '1m');
  const names: string[] = [];
  parser.parse(text).iterate({
    enter: ({ name, type, from, to }) => {
      if (type.isError) throw new Error(`no PromQL at ${from}: ${text}`);
      if (name === 'VectorSelector') names.push(/^[\w:]+/.exec(text.slice(from, to))![0]);
    },
  });
  return names;
}

/** The names that samples have: a histogram's are three. */
async function sampleNames(): Promise<Set<string>> {
  const { text } = await new Metrics(true).page();
  const page = new MetricsPage(text);
  const names = page.names.flatMap((name) =>
    page.typeOf(name) === 'HISTOGRAM' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
  );
  return new Set([...names, 'up']); // Prometheus's own
}

describe('dashboard and alerts', () => {
  it.each([...queries.map(({ title, expr }) => [title, expr]), ...rules.map(({ alert, expr }) => [alert, expr])])(
    '%s asks for metrics that are there',
    async (_title, expr) => {
      const names = metricsIn(expr);
      const known = await sampleNames();
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter((name) => !known.has(name))).toEqual([]);
    },
  );

  it('would notice a metric that is not there, and what is no PromQL', () => {
    expect(metricsIn('rate(parley_nothing_total[5m]) > on (instance) up{job="x"}')).toEqual(['parley_nothing_total', 'up']);
    expect(() => metricsIn('rate(parley_connections[5m]')).toThrow('no PromQL');
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
    const shown = new Set(queries.flatMap(({ expr }) => metricsIn(expr)).map((name) => name.replace(/_bucket$/, '')));
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

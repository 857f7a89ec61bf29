import { parser } from '@prometheus-io/lezer-promql';

/** What an expression asks for, by Prometheus's own grammar. */
export interface PromQl {
  selectors: Selector[];
  /** The labels of `by`, `on` and the like. */
  grouping: string[];
}

export interface Selector {
  metric: string;
  matchers: { label: string; isRegex: boolean; value: string }[];
}

/** @throws for what is no PromQL */
export function readPromQl(expr: string): PromQl {
  // Grafana puts a duration in its place.
  const text = expr.replaceAll('$__rate_interval', '1m');
  const read: PromQl = { selectors: [], grouping: [] };
  parser.parse(text).iterate({
    enter: ({ name, type, from, to, node }) => {
      const source = text.slice(from, to);
      if (type.isError) throw new Error(`no PromQL at ${from}: ${text}`);
      if (name === 'VectorSelector') read.selectors.push({ metric: /^[\w:]+/.exec(source)![0], matchers: [] });
      if (name === 'UnquotedLabelMatcher') read.selectors.at(-1)!.matchers.push(matcher(source));
      if (name === 'LabelName' && node.parent!.name === 'GroupingLabels') read.grouping.push(source);
    },
  });
  return read;
}

function matcher(source: string): Selector['matchers'][number] {
  const [, label, operator, value] = /^(\w+)\s*(=~|!~|!=|=)\s*(".*")$/s.exec(source)!;
  return { label: label!, isRegex: operator!.endsWith('~'), value: JSON.parse(value!) as string };
}

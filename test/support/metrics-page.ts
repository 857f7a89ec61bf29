import parse from 'parse-prometheus-text-format';

interface Family {
  name: string;
  help: string;
  type: string;
  metrics: { value?: string; labels?: Record<string, string>; buckets?: Record<string, string>; count?: string; sum?: string }[];
}

/** A page of metrics, as Prometheus's own format says that it reads. */
export class MetricsPage {
  readonly #families: Map<string, Family>;

  constructor(readonly text: string) {
    this.#families = new Map((parse(text) as Family[]).map((family) => [family.name, family]));
  }

  static async fetch(url: string): Promise<MetricsPage> {
    const answer = await fetch(url);
    if (answer.status !== 200) throw new Error(`the scrape was answered by ${answer.status}`);
    return new MetricsPage(await answer.text());
  }

  get names(): string[] {
    return [...this.#families.keys()];
  }

  typeOf(name: string): string {
    return this.#family(name).type;
  }

  /** The one value of those labels; 0 where there is none. */
  value(name: string, labels: Record<string, string> = {}): number {
    const matching = this.#family(name).metrics.filter((one) =>
      Object.entries(labels).every(([key, value]) => one.labels?.[key] === value),
    );
    return Number(matching[0]?.value ?? 0);
  }

  /** The one value for each that the label says, of those that have it. */
  by(label: string, name: string): Record<string, number> {
    const labelled = this.#family(name).metrics.filter((one) => one.labels?.[label] !== undefined);
    return Object.fromEntries(labelled.map((one) => [one.labels![label], Number(one.value)]));
  }

  histogram(name: string): { count: number; sum: number } {
    const [{ count, sum } = {}] = this.#family(name).metrics;
    return { count: Number(count ?? 0), sum: Number(sum ?? 0) };
  }

  #family(name: string): Family {
    const family = this.#families.get(name);
    if (!family) throw new Error(`the page has no ${name}`);
    return family;
  }
}

/** The WHERE of a list, composed of the filters that are given, and the values of the whole statement's parameters. */
export class Conditions {
  readonly values: unknown[] = [];
  readonly #parts: string[];

  /** @param fixed conditions that always hold */
  constructor(...fixed: string[]) {
    this.#parts = fixed;
  }

  /** Adds a condition on the value, which stands wherever `?` does; none when the value is undefined or null. */
  add(condition: string, value: unknown): this {
    if (value !== undefined && value !== null) this.#parts.push(condition.replaceAll('?', this.parameter(value)));
    return this;
  }

  /** Adds a condition without a value; none when it is null. */
  also(condition: string | null): this {
    if (condition !== null) this.#parts.push(condition);
    return this;
  }

  /** @returns how the statement names the value, for use outside of the conditions */
  parameter(value: unknown): string {
    return `$${this.values.push(value)}`;
  }

  get where(): string {
    return whereAll(this.#parts);
  }

  /** `where` with one more condition, which the others of the statement do not have. */
  whereAlso(condition: string): string {
    return whereAll([...this.#parts, condition]);
  }
}

function whereAll(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.map((condition) => `(${condition})`).join(' AND ')}`;
}

/** What LIKE matches by texts that have this part, whatever characters are in it. */
export function containing(part: string): string {
  return `%${part.replace(/[\\%_]/g, '\\$&')}%`;
}

/** The condition on whether a column is null; null when it is all one. */
export function isSet(column: string, wanted: boolean | undefined): string | null {
  return wanted === undefined ? null : `${column} IS ${wanted ? 'NOT ' : ''}NULL`;
}

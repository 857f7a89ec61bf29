import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { tableOf, unquoted } from './markdown-table.js';

const PAGE = 'docs/security.md';
const LINES = 41;

const rows = tableOf(PAGE, '#')
  .filter((row) => row['#'] !== '') // a heading
  .map((row) => ({ line: Number(row['#']), shownBy: row['shown by']! }));
const unshown = rows.filter(({ shownBy }) => shownBy === 'not yet');

/** The tests that a cell names: a link to a file, and behind it names as code. */
function namedTests(cell: string): { file: string; name: string }[] {
  return [...cell.matchAll(/\]\(([^)]+)\)((?: `[^`]+`)+)/g)].flatMap(([, path, names]) =>
    [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => ({ file: join('docs', path!), name: name! })),
  );
}

/** The names of all tests in the file, as they are written: of `it('…')` and of `it.each(…)('…')`. */
function testsIn(file: string): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && rootOf(node.expression) === 'it') {
      const [name] = node.arguments;
      if (name !== undefined && ts.isStringLiteralLike(name)) names.push(name.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest));
  return names;
}

/** `it` of `it`, of `it.each(…)`, and of no deeper call. */
function rootOf(callee: ts.Node): string | undefined {
  if (ts.isIdentifier(callee)) return callee.text;
  if (!ts.isCallExpression(callee) || !ts.isPropertyAccessExpression(callee.expression)) return undefined;
  return callee.expression.name.text === 'each' ? rootOf(callee.expression.expression) : undefined;
}

describe(PAGE, () => {
  it('has every line once, in order', () => {
    expect(rows.map(({ line }) => line)).toEqual(Array.from({ length: LINES }, (_, index) => index + 1));
  });

  it('names tests that are there under that very name, for each line that does not say that there is none yet', () => {
    for (const { line, shownBy } of rows.filter((row) => !unshown.includes(row))) {
      const named = namedTests(shownBy);
      expect([line, named.length > 0]).toEqual([line, true]);
      for (const { file, name } of named) expect([line, file, testsIn(file)]).toEqual([line, file, expect.arrayContaining([name])]);
    }
  });

  it('says "not yet" of no line that a test has in its name', () => {
    const files = ['src', 'test'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    );
    const names = files.filter((file) => file.endsWith('.spec.ts')).flatMap(testsIn);
    const shown = new Set(names.flatMap((name) => /^lines? ([\d and]+):/.exec(name)?.[1]!.match(/\d+/g) ?? []).map(Number));
    expect(shown.size).toBeGreaterThan(20);
    expect(unshown.filter(({ line }) => shown.has(line))).toEqual([]);
  });

  it('has nothing beside the tests but what is not shown yet', () => {
    for (const { line, shownBy } of rows) {
      const rest = shownBy.replace(/\[[\w.-]+\]\([^)]+\)(?: `[^`]+`)+/g, 'tests');
      expect([line, rest]).toEqual([line, expect.stringMatching(/^(tests(; tests)*(; not yet: [^`[]+)?|not yet)$/)]);
    }
  });
});

describe('the versions in docs/security.md', () => {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, { version: string }> };
  const copiesOf = (name: string) =>
    Object.entries(lock.packages).flatMap(([path, { version }]) => (path.endsWith(`node_modules/${name}`) ? [version] : []));

  it.each(tableOf(PAGE, 'package').map((row) => [unquoted(row['package']!), row['at least']!, row['what older ones have']!] as const))(
    'no copy of %s is older than %s',
    (name, least, holes) => {
      expect(holes).toMatch(/CVE-\d{4}-\d{4,}/);
      const copies = copiesOf(name);
      expect(copies.length).toBeGreaterThan(0);
      for (const version of copies) expect([version, isAtLeast(version, least)]).toEqual([version, true]);
    },
  );

  it('are compared number by number, and a beta of a release is before it', () => {
    expect(['8.21.1', '8.22.0', '9.0.0', '10.0.0', '8.100.0'].map((version) => isAtLeast(version, '8.21.1'))).toEqual(Array(5).fill(true));
    expect(['8.21.0', '8.3.9', '7.99.99', '8.21.1-beta.1'].map((version) => isAtLeast(version, '8.21.1'))).toEqual(Array(4).fill(false));
  });
});

function isAtLeast(version: string, least: string): boolean {
  const [release = '', ...early] = version.split('-');
  const order = release.localeCompare(least, 'en', { numeric: true });
  return order > 0 || (order === 0 && early.length === 0);
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface FileReport {
  filePath: string;
  messages: { ruleId: string }[];
}

const FILES: Record<string, string> = {
  'src/floating.ts': `export function f(work: () => Promise<void>): void { work(); }`,
  'src/misused.ts': `export function f(work: () => Promise<boolean>): number { return work() ? 1 : 2; }`,
  'src/environment-elsewhere.ts': `export const port = process.env.PORT; export const { env } = process;`,
  'src/environment-imported.ts': `import { env } from 'node:process'; export const port = env.PORT;`,
  'src/config/environment.ts': `export const port = process.env.PORT;`,
  'src/forward.ts': `import { forwardRef } from '@nestjs/common'; export const f = forwardRef;`,
  'src/long.ts': Array.from({ length: 301 }, (_, line) => `export const a${line} = 1;\n`).join(''),
  'src/long-function.ts': `export function f(): void {\n${'  void 0;\n'.repeat(60)}}`,
  'test/long.spec.ts': `export function f(): void {\n${'  void 0;\n'.repeat(400)}}`,
  'src/type-import.ts': `import { Readable } from 'node:stream'; export type R = Readable;`,
  // What a constructor asks for is needed at run time, though it is written where a type stands.
  'src/injected.ts': `import { Injectable } from '@nestjs/common'; import { ModuleRef } from '@nestjs/core';
    @Injectable() export class S { constructor(readonly modules: ModuleRef) {} }`,
  'src/console.ts': `console.log('hi');`,
  'test/asleep.spec.ts': `import { describe, fit, it, xdescribe } from '@jest/globals';
    describe.skip('a', () => it.skip('b', () => {})); it.todo('c'); it.skip.each([1])('d', () => {}); it.only('e', () => {});
    fit('f', () => {}); xdescribe('g', () => it('h', () => {}));`,
  'test/impossible-here.spec.ts': `import { it } from '@jest/globals';
    (process.platform === 'linux' ? it : it.skip)('a', () => {}); (process.getuid ? it : it.skip).each([1])('b', () => {});`,
};

/** As with the law of imports: here the linter meets what it should refuse. */
describe('the linter', () => {
  let house: string;
  const found: Record<string, string[]> = {};

  beforeAll(async () => {
    house = await mkdtemp(join(tmpdir(), 'parley-lint-'));
    for (const file of ['eslint.config.js', 'tsconfig.json', 'package.json']) await cp(file, join(house, file));
    await symlink(join(process.cwd(), 'node_modules'), join(house, 'node_modules'));
    for (const [path, text] of Object.entries(FILES)) {
      await mkdir(dirname(join(house, path)), { recursive: true });
      await writeFile(join(house, path), text);
    }
    const eslint = join(house, 'node_modules/eslint/bin/eslint.js');
    const { stdout } = await run(process.execPath, [eslint, '--format', 'json', '.'], { cwd: house }).catch(
      (failed: { stdout: string }) => failed,
    );
    for (const { filePath, messages } of JSON.parse(stdout) as FileReport[]) {
      found[filePath.slice(filePath.search(/(src|test)\/[^]*$/))] = messages.map(({ ruleId }) => ruleId);
    }
  }, 60_000);

  afterAll(() => rm(house, { recursive: true, force: true }));

  it.each([
    ['src/floating.ts', ['@typescript-eslint/no-floating-promises']],
    ['src/misused.ts', ['@typescript-eslint/no-misused-promises']],
    ['src/environment-elsewhere.ts', ['no-restricted-properties', 'no-restricted-properties']],
    ['src/environment-imported.ts', ['no-restricted-imports']],
    ['src/forward.ts', ['no-restricted-imports']],
    ['src/long.ts', ['max-lines']],
    ['src/long-function.ts', ['max-lines-per-function']],
    ['src/type-import.ts', ['@typescript-eslint/consistent-type-imports']],
    ['src/console.ts', ['no-console']],
    ['test/asleep.spec.ts', Array<string>(7).fill('no-restricted-syntax')],
  ])('refuses %s', (file, rules) => {
    expect(found[file]).toEqual(rules);
  });

  it.each(['src/config/environment.ts', 'src/injected.ts', 'test/long.spec.ts', 'test/impossible-here.spec.ts'])('lets %s pass', (file) => {
    expect(found[file]).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SETTINGS } from '../../src/config/settings.js';
import { tableOf, unquoted } from './markdown-table.js';

const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesIn('docs').filter((file) => file.endsWith('.md'))];
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string; scripts: Record<string, string> };

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function foldersIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(join(folder, entry.name)).length > 0)
    .map(({ name }) => name)
    .sort();
}

/** The anchor that GitHub makes of a heading. */
function anchorsOf(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replace(/ /g, '-'),
  );
}

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(page, 'utf8');

  it('links to pages, files and headings that are there', () => {
    const links = [...text.replace(/```[^]*?```/g, '').matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link!);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const scripts = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script!);
    expect(scripts.filter((script) => !(script in manifest.scripts))).toEqual([]);
  });
});

describe('README.md', () => {
  const tree = /```\nsrc\/\n([^]*?)```/.exec(readFileSync('README.md', 'utf8'))![1]!;
  const foldersOf = (part: string) => [...part.matchAll(/^ {2}(\w+)\//gm)].map(([, name]) => name!).sort();

  it('shows every folder of src and test, and no other', () => {
    const [src, test] = tree.split('test/\n');
    expect(foldersOf(src!)).toEqual(foldersIn('src'));
    expect(foldersOf(test!.split('\nbench/')[0]!)).toEqual(foldersIn('test'));
  });

  it('shows every file that lies in src itself, and no other', () => {
    const shown = [...tree.split('test/\n')[0]!.matchAll(/[\w.-]+\.ts\b/g)].map(([name]) => name);
    const there = readdirSync('src').filter((name) => name.endsWith('.ts'));
    expect(shown.sort()).toEqual(there.sort());
  });

  it('names settings that exist, with their defaults', () => {
    for (const row of tableOf('README.md', 'setting')) {
      const setting = unquoted(row['setting']!) as keyof typeof SETTINGS.shape;
      expect(SETTINGS.shape).toHaveProperty(setting);
      const preset = SETTINGS.shape[setting].safeParse(undefined).data;
      // A default in plain words is one that the server makes at start.
      if (row['default']!.startsWith('`')) expect(unquoted(row['default']!)).toBe(String(preset));
      else expect([undefined, '']).toContain(preset?.toString());
    }
  });
});

describe('.env.example', () => {
  it('has every setting, with its default, and no other', () => {
    const lines = [...readFileSync('.env.example', 'utf8').matchAll(/^# ?([A-Z_]+)=(.*)$/gm)];
    const listed = lines.map(([, name, value]) => [name, value]);
    const known = Object.entries(SETTINGS.shape).map(([name, schema]) => [name, String(schema.safeParse(undefined).data ?? '')]);
    expect(listed).toEqual(known);
  });
});

describe('CHANGELOG.md', () => {
  it('begins with the version of the package', () => {
    expect(/^## (\S+)/m.exec(readFileSync('CHANGELOG.md', 'utf8'))![1]).toBe(manifest.version);
  });
});

describe('docs/adr/README.md', () => {
  it('lists every decision under its title, and no other', () => {
    const listed = [...readFileSync('docs/adr/README.md', 'utf8').matchAll(/^\| \[(\d+)\]\((\S+)\) +\| (.*?) +\|$/gm)];
    const pages = readdirSync('docs/adr').filter((file) => /^\d/.test(file));
    const headings = pages.map((file) => [file, /^# (.*)$/m.exec(readFileSync(join('docs/adr', file), 'utf8'))![1]]);
    expect(listed.map(([, number, file, title]) => [file, `${number}. ${title}`])).toEqual(headings.sort());
  });
});

describe.each(['CONTRIBUTING.md', 'docs/architecture.md'])('the law in %s', (page) => {
  it('is the one that is checked', () => {
    const law = /`protocol` < [^]*?`health`/.exec(readFileSync(page, 'utf8'))![0];
    const ranks = law.split('<').map((rank) => [...rank.matchAll(/`(\w+)`/g)].map(([, folder]) => folder!));
    const config = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as {
      forbidden: { name: string; to: { pathNot?: string } }[];
    };
    const checked = config.forbidden.filter(({ name }) => name.startsWith('law-'));
    const written = ranks.flatMap((peers, rank) =>
      peers.map((folder) => [`law-${folder}`, `^src/(${[folder, ...ranks.slice(0, rank).flat()].join('|')})/`]),
    );
    expect(Object.fromEntries(checked.map(({ name, to }) => [name, to.pathNot]))).toEqual(Object.fromEntries(written));
  });
});

import { readFileSync } from 'node:fs';

/** The rows of the one table of the page whose head begins with `head`; each row by its columns' names, in the page's own words. */
export function tableOf(page: string, head: string): Record<string, string>[] {
  const lines = readFileSync(page, 'utf8').split('\n');
  const heads = lines.flatMap((line, index) => (line.startsWith(`| ${head} |`) ? [index] : []));
  if (heads.length !== 1) throw new Error(`${page} has ${heads.length} tables with the head "${head}"`);
  const names = cells(lines[heads[0]!]!);
  const rows: Record<string, string>[] = [];
  for (let at = heads[0]! + 2; lines[at]?.startsWith('|'); at++) {
    const row = cells(lines[at]!);
    if (row.length !== names.length) throw new Error(`${page}, line ${at + 1}: ${row.length} cells for ${names.length} columns`);
    rows.push(Object.fromEntries(names.map((name, index) => [name, row[index]!])));
  }
  return rows;
}

/** The blocks of the page that are fenced as JSON, parsed. */
export function jsonBlocks(page: string): unknown[] {
  return [...readFileSync(page, 'utf8').matchAll(/```json\n([^`]*)```/g)].flatMap(([, text]) => {
    // One block may show several frames, one after the other.
    return text!
      .trim()
      .split(/\n(?=\{)/)
      .map((json) => JSON.parse(json) as unknown);
  });
}

function cells(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim());
}

export function unquoted(cell: string): string {
  return cell.replace(/^`|`$/g, '');
}

import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { COMMANDS, FEATURES, type Hello, LIMITS, type Message, type RoomView, TIMES } from '../../src/protocol/index.js';
import { jsonBlocks, tableOf, unquoted } from './markdown-table.js';

const PAGE = 'docs/protocol.md';

/** The names of an interface of src/protocol/events.ts: types are gone at run time, so they are read from the source. */
function namesOf(type: string): string[] {
  const body = new RegExp(`export interface ${type} \\{([\\s\\S]*?)\\n\\}`).exec(readFileSync('src/protocol/events.ts', 'utf8'))![1]!;
  return [...body.matchAll(/^ {2}'?([\w.]+)'?\??:/gm)].map(([, name]) => name!).sort();
}

function eventsOf(head: string, columns: number): string[] {
  const tables = readFileSync(PAGE, 'utf8').split(/\n\n/);
  const rows = tables.find((table) => table.startsWith(`${head}\n|${'---|'.repeat(columns)}`))!.split('\n');
  return rows.slice(2).map((row) => unquoted(row.split('|')[1]!.trim()));
}

function fieldsOf(data: string): { name: string; optional: boolean }[] {
  const inner = /^`\{(.*?)\}`/.exec(data)![1]!.replace(/\{[^}]*\}|\[[^\]]*\]/g, '');
  return inner
    .split(',')
    .map((field) => /^\s*(\w+)(\??)/.exec(field))
    .filter((field) => field !== null)
    .map(([, name, mark]) => ({ name: name!, optional: mark === '?' }));
}

describe('docs/protocol.md', () => {
  it('lists every command, and no other', () => {
    expect(tableOf(PAGE, 'command').map(({ command }) => unquoted(command!))).toEqual(Object.keys(COMMANDS));
  });

  it.each(tableOf(PAGE, 'command').map((row) => [unquoted(row['command']!), row['data']!] as const))(
    'gives the fields of %s',
    (command, data) => {
      const { shape } = COMMANDS[command as keyof typeof COMMANDS];
      const known = Object.entries(shape).map(([name, field]) => ({ name, optional: field.safeParse(undefined).success }));
      expect(fieldsOf(data)).toEqual(known);
    },
  );

  it('lists every durable event, and no other', () => {
    expect(eventsOf('| event | data |', 2).sort()).toEqual(namesOf('DurableEvents'));
  });

  it('lists every ephemeral event, and no other', () => {
    expect(eventsOf('| event | data | to |', 3).sort()).toEqual(namesOf('EphemeralEvents'));
  });

  it('gives every limit and time as it is', () => {
    const limits = tableOf(PAGE, 'name').map(({ name, value }) => [unquoted(name!), Number(value)]);
    expect(Object.fromEntries(limits)).toEqual(LIMITS);
    const times = tableOf(PAGE, 'time').map(({ time, ms }) => [unquoted(time!), Number(ms)]);
    expect(Object.fromEntries(times)).toEqual(TIMES);
  });

  it('shows the hello of this server, a message and a room as they are', () => {
    const blocks = jsonBlocks(PAGE) as [{ data: Hello }, Message, RoomView];
    const [{ data: hello }, message, room] = blocks;
    expect(blocks).toHaveLength(3);
    expect(hello.features).toEqual([...FEATURES]);
    expect(Object.keys(hello).sort()).toEqual(namesOf('Hello'));
    expect(LIMITS).toMatchObject(hello.limits);
    expect(hello.heartbeatMs).toBe(TIMES.heartbeatMs);
    expect(Object.keys(message).sort()).toEqual(namesOf('Message'));
    expect(Object.keys(room).sort()).toEqual(namesOf('RoomView'));
  });
});

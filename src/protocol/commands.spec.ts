import { describe, expect, it } from '@jest/globals';
import { COMMANDS, type CommandName } from './commands.js';
import { parseFrame } from './frames.js';
import { LIMITS } from './limits.js';

const ROOM = '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11';
const since = { epoch: 'k3f9', seq: 1 };

/** For each command, data that is good, with all its fields. */
const GOOD: Record<CommandName, Record<string, unknown>> = {
  'room.subscribe': { room: ROOM, since },
  'rooms.subscribe': { rooms: [{ room: ROOM, since }] },
  'room.unsubscribe': { room: ROOM },
  'room.join': { room: ROOM },
  'room.leave': { room: ROOM },
  'message.send': { room: ROOM, clientId: 'c', text: 'hi', meta: {} },
  'message.edit': { room: ROOM, seq: 1, text: 'hi', meta: {}, ifVersion: 1 },
  'message.delete': { room: ROOM, seq: 1 },
  'read.set': { room: ROOM, seq: 0 },
  'typing.start': { room: ROOM },
  'typing.stop': { room: ROOM },
  'presence.set': { status: 'busy' },
  'presence.watch': { room: ROOM },
  'presence.unwatch': { room: ROOM },
  'history.get': { room: ROOM, before: 1, limit: 1 },
  'auth.refresh': { token: 't' },
  ping: {},
};

const BAD = [undefined, null, true, -1, 0.5, 1e300, '', 'x', '\u0000', 'x'.repeat(70_000), [], [null], {}, { x: 1 }, { since: {} }];
const MANY = Array.from({ length: LIMITS.roomsPerSubscribe + 1 }, () => ({ room: ROOM }));

/** `data` with one of its values replaced by one of `BAD`, at whatever depth. */
function* doctored(data: unknown): Generator {
  for (const bad of [...BAD, MANY]) yield bad;
  if (typeof data !== 'object' || data === null) return;
  for (const key of Object.keys(data)) {
    for (const value of doctored((data as Record<string, unknown>)[key])) yield { ...data, [key]: value };
  }
  if (Array.isArray(data)) for (const value of doctored(data[0])) yield [value];
}

function detailsOf(event: string, data: unknown) {
  const parsed = parseFrame(JSON.stringify({ event, data }));
  return 'problem' in parsed ? (parsed.problem.details ?? []) : [];
}

describe('what is wrong with a command', () => {
  it.each(Object.entries(GOOD))('%s is told in the words that REST has', (event, good) => {
    expect(Object.keys(good).sort()).toEqual(expect.arrayContaining(requiredOf(event as CommandName)));
    expect(detailsOf(event, good)).toEqual([]);
    const answers = [...doctored(good)].map((data) => detailsOf(event, data));
    // One for each field, as REST has it.
    for (const details of answers) expect(new Set(details.map(({ path }) => path)).size).toBe(details.length);
    const told = answers.flat();
    expect(told.length).toBeGreaterThan(0);
    const words = /^(must |is not a known field$|at most one of |text or meta must be given$)/;
    expect([...new Set(told.map(({ message }) => message))].filter((message) => !words.test(message))).toEqual([]);
  });

  it.each([
    ['room.join', { room: 'lobby' }, 'room', 'must be a UUID'],
    ['room.join', {}, 'room', 'must be a UUID'],
    ['room.join', null, '', 'must be an object'],
    ['message.delete', { room: ROOM, seq: 0 }, 'seq', 'must be an integer from 1 to 9007199254740991'],
    ['message.delete', { room: ROOM, seq: 2 ** 53 }, 'seq', 'must be an integer from 1 to 9007199254740991'],
    ['message.delete', { room: ROOM, seq: '1' }, 'seq', 'must be an integer from 1 to 9007199254740991'],
    ['read.set', { room: ROOM, seq: -1 }, 'seq', 'must be an integer from 0 to 9007199254740991'],
    ['history.get', { room: ROOM, limit: 201 }, 'limit', 'must be an integer from 1 to 200'],
    ['presence.set', { status: 'gone' }, 'status', 'must be one of online, away, busy, invisible'],
    ['rooms.subscribe', { rooms: {} }, 'rooms', 'must be a list of 1 to 50 rooms'],
    ['rooms.subscribe', { rooms: [] }, 'rooms', 'must be a list of 1 to 50 rooms'],
    ['rooms.subscribe', { rooms: [{ room: ROOM, since: { epoch: '', seq: 0 } }] }, 'rooms.0.since.epoch', 'must not be empty'],
    ['message.edit', { room: ROOM, seq: 1 }, '', 'text or meta must be given'],
  ])('%s with %j: %s %s', (event, data, path, message) => {
    expect(detailsOf(event, data)).toEqual([{ path, message }]);
  });
});

function requiredOf(command: CommandName): string[] {
  return Object.entries(COMMANDS[command].shape)
    .filter(([, field]) => !field.safeParse(undefined).success)
    .map(([name]) => name);
}

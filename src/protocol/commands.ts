import { z } from 'zod';
import { LIMITS } from './limits.js';
import { editProblem, metaProblem, textProblem } from './text.js';

/** What a client may ask over the socket: one strict schema a command. An unknown field is refused. What is wrong is told in the words that REST has. */

const object = <Shape extends z.ZodRawShape>(shape: Shape) => z.strictObject(shape, { error: 'must be an object' });
const text = (max: number, min = 1) =>
  z.custom<string>((value) => textProblem(value, min, max) === null, {
    error: (issue) => textProblem(issue.input, min, max) ?? 'invalid',
  });
const meta = z.custom<Record<string, unknown>>((value) => metaProblem(value) === null, {
  error: (issue) => metaProblem(issue.input) ?? 'invalid',
});
function integer(min: number, max = Number.MAX_SAFE_INTEGER) {
  const error = `must be an integer from ${min} to ${max}`;
  return z.int({ error, abort: true }).min(min, { error }).max(max, { error });
}
function oneOf<const Word extends string>(words: readonly Word[]) {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` });
}
// Any UUID form that PostgreSQL takes is one room; lower case is the name it has in events.
const room = z.guid({ error: 'must be a UUID' }).toLowerCase();
const seq = integer(1);
const position = integer(0);

const since = object({ epoch: text(64), seq: position });
const follow = object({ room, since: since.optional() });
const oneRoom = object({ room });
const message = object({ room, seq });

const ROOMS = `must be a list of 1 to ${LIMITS.roomsPerSubscribe} rooms`;
const rooms = z
  .array(follow, { error: ROOMS })
  .refine(({ length }) => length >= 1 && length <= LIMITS.roomsPerSubscribe, { error: ROOMS, abort: true })
  .refine((all) => new Set(all.map((r) => r.room)).size === all.length, { error: 'must name each room once' });

export const COMMANDS = {
  'room.subscribe': follow,
  'rooms.subscribe': object({ rooms }),
  'room.unsubscribe': oneRoom,
  'room.join': oneRoom,
  'room.leave': oneRoom,
  'message.send': object({ room, clientId: text(LIMITS.clientIdChars), text: text(LIMITS.textChars), meta: meta.optional() }),
  'message.edit': object({
    room,
    seq,
    text: text(LIMITS.textChars).optional(),
    meta: meta.optional(),
    ifVersion: seq.optional(),
  }).refine((edit) => editProblem(edit) === null, { error: (issue) => editProblem(issue.input as object) ?? 'invalid' }),
  'message.delete': message,
  'read.set': object({ room, seq: position }),
  'typing.start': oneRoom,
  'typing.stop': oneRoom,
  'presence.set': object({ status: oneOf(['online', 'away', 'busy', 'invisible']) }),
  'presence.watch': oneRoom,
  'presence.unwatch': oneRoom,
  'history.get': object({
    room,
    before: seq.optional(),
    after: position.optional(),
    around: seq.optional(),
    limit: integer(1, LIMITS.pageItems).optional(),
  }).refine((page) => [page.before, page.after, page.around].filter((v) => v !== undefined).length <= 1, {
    error: 'at most one of before, after and around may be given',
  }),
  'auth.refresh': object({ token: text(LIMITS.frameBytes) }),
  ping: object({}),
} as const;

export type CommandName = keyof typeof COMMANDS;
export type CommandData<N extends CommandName> = z.infer<(typeof COMMANDS)[N]>;

/** Where a client left a room: `recovered` replays start behind it. */
export type Since = z.infer<typeof since>;
